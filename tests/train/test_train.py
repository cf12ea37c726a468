"""Training from Python: determinism, sorting, colour, crops, tables, leaks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from gonogo.data.manifest import Manifest, Sample
from gonogo.errors import BarNotMetError, DataError, UsageError
from gonogo.models.architecture import make_spec
from gonogo.train.prepare import DataOptions
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from tests.helpers import write_alike, write_kinds, write_photos, write_plates

QUICK = {"epochs": 2, "batch_size": 8}


def quick(data: Path, out: Path, recipe: dict | None = None, **options: object) -> Run:
    arch = options.pop("arch", "taper")
    return train(TrainRequest(data, out, arch=arch, recipe={**QUICK, **(recipe or {})}, options=DataOptions(**options)))


def test_the_same_seed_gives_the_same_bits_and_another_does_not(plates: Path, tmp_path: Path):
    runs = [quick(plates, tmp_path / str(n), {"seed": seed}) for n, seed in enumerate((1, 1, 2))]
    weights = [(run.path / "model.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1] != weights[2]


def test_the_weights_kept_are_those_of_the_best_epoch(run_folder: Path):
    metrics = Run.open(run_folder).metrics
    assert 1 <= metrics["best_epoch"] <= metrics["epochs"] == 3
    assert metrics["refused"] is None


def test_patience_ends_a_training_that_gets_no_better(tmp_path: Path):
    data = write_photos(tmp_path / "noise", {"bad": 12, "ok": 12}, size=(40, 40))
    run = quick(data, tmp_path / "run", {"epochs": 60, "patience": 2})
    assert run.metrics["epochs"] == run.metrics["best_epoch"] + 2 < 60


def test_kinds_are_sorted_where_none_is_good(tmp_path: Path):
    data = write_kinds(tmp_path / "photos", 12)
    notes: list[str] = []
    run = train(TrainRequest(data, tmp_path / "run", recipe={**QUICK, "epochs": 4}), note=notes.append)
    assert run.config.task.classes == ("hole", "plain sheet", "speckle")
    assert run.config.task.is_sorting
    assert run.decision.threshold is None
    assert any("sorts them" in note for note in notes)


def test_colour_photos_make_a_colour_network_and_grey_ones_do_not(tmp_path: Path):
    colour = write_photos(tmp_path / "colour", {"bad": 8, "ok": 8}, size=(32, 32), channels=3)
    found = quick(colour, tmp_path / "a").config
    assert (found.geometry.colour, found.model.in_channels, len(found.geometry.mean)) == ("rgb", 3, 3)
    asked = quick(colour, tmp_path / "b", colour="grey").config
    assert (asked.geometry.channels, asked.geometry.colour, asked.model.in_channels) == (3, "grey", 1)


def test_the_reduction_is_chosen_by_the_shorter_side_and_reported(tmp_path: Path):
    data = write_photos(tmp_path / "photos", {"bad": 5, "ok": 5}, size=(305, 420))
    notes: list[str] = []
    request = TrainRequest(data, tmp_path / "run", recipe=QUICK)
    run = train(request, note=notes.append)
    assert run.config.geometry.reduce == 3
    assert run.config.geometry.input_size == (101, 140)
    assert any("of each photo's pixels are left out" in note for note in notes)


def test_photos_of_several_sizes_train_with_a_crop(tmp_path: Path):
    data = write_plates(tmp_path / "photos", 8)
    write_plates(tmp_path / "larger", 8, size=80, seed=1)
    for label in ("ok", "defect"):
        for path in (tmp_path / "larger" / label).iterdir():
            path.rename(data / label / f"larger{path.name}")
    with pytest.raises(DataError, match=r"2 sizes .*--crop 64x64\+0\+0"):
        quick(data, tmp_path / "run")
    run = quick(data, tmp_path / "run", crop=(0, 0, 64, 64))
    assert run.config.geometry.height is None
    with pytest.raises(DataError, match=r"do not hold the crop 70x70\+0\+0"):
        quick(data, tmp_path / "other", crop=(0, 0, 70, 70))


def test_a_table_gives_parts_and_splits(castings: Path, tmp_path: Path):
    manifest = quick(castings, tmp_path / "run").manifest()
    assert manifest.has_groups
    splits: dict[str, set[str]] = {}
    for sample in manifest.samples:
        splits.setdefault(sample.group, set()).add(sample.split)
    assert len(splits) == 24
    assert all(len(found) == 1 for found in splits.values())


def test_a_loss_that_leaves_the_numbers_is_a_bar_not_met(plates: Path, tmp_path: Path):
    # Each step of this decay multiplies the weights by 1 - 10 * 1.
    recipe = {"epochs": 40, "batch_size": 8, "lr": 10.0, "weight_decay": 1.0, "schedule": "constant"}
    request = TrainRequest(plates, tmp_path / "run", arch_options={"norms": (False,) * 4}, recipe=recipe)
    with pytest.raises(BarNotMetError, match="lower --lr than 10"):
        train(request)
    assert not Run(tmp_path / "run").is_finished


def test_a_network_that_answers_alike_is_marked_and_kept(tmp_path: Path):
    data = write_alike(tmp_path / "photos", 10)
    run = quick(data, tmp_path / "run", crop=(1, 1, 32, 32), find_copies=False)
    assert run.is_finished
    assert "for all 4 photos: it has learnt nothing" in run.metrics["refused"]


def test_an_input_too_small_for_the_network_is_refused(plates: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="8x8 pixels are too few for architecture 'taper-study'"):
        quick(plates, tmp_path / "run", arch="taper-study", reduce=8)
    assert not (tmp_path / "run").exists()


def test_data_that_changed_are_not_resumed(plates: Path, tmp_path: Path):
    data = shutil.copytree(plates, tmp_path / "photos")
    run = quick(data, tmp_path / "run")
    (run.path / "metrics.json").unlink()
    (data / "ok" / "00.png").unlink()
    request = TrainRequest(data, run.path, recipe=QUICK, resume=True)
    with pytest.raises(Exception, match=r"data\.fingerprint"):
        train(request)


def test_the_run_knows_its_own_samples(run_folder: Path):
    manifest = Run.open(run_folder).manifest()
    assert isinstance(manifest, Manifest)
    assert isinstance(manifest.samples[0], Sample)
    assert torch.get_num_threads() == 1


def resnet20_file(path: Path, classes: int) -> Path:
    """Write weights of a ResNet-20 with a classifier, as their authors name them."""
    network = make_spec("resnet20", classes, 3, {}).build()
    state = {name: value for name, value in network.body.state_dict().items() if "shortcut" not in name}
    torch.save(state | {f"linear.{k}": v for k, v in network.head.classifier.state_dict().items()}, path)
    return path


def test_no_epochs_keep_the_weights_as_they_came(tmp_path: Path):
    data = write_photos(tmp_path / "photos", {"bad": 8, "ok": 8}, size=(32, 32), channels=3)
    file, notes = resnet20_file(tmp_path / "weights.pth", 2), []
    request = TrainRequest(data, tmp_path / "run", "resnet20", recipe={"epochs": 0}, weights=file, reject_unknown=False)
    run = train(request, note=notes.append)
    given, kept = torch.load(file, weights_only=True), run.load_network()
    assert torch.equal(kept.head.classifier.weight, given["linear.weight"])
    assert torch.equal(kept.body.state_dict()["1.computed.0.weight"], given["1.computed.0.weight"])
    assert run.metrics["epochs"] == 0
    assert any("every figure here is too good" in note for note in notes)


@pytest.mark.parametrize(
    ("classes", "says"), [(3, "this file has no classifier for 2 classes"), (None, "found no --weights")]
)
def test_no_epochs_need_a_whole_network(tmp_path: Path, classes: int | None, says: str):
    data = write_photos(tmp_path / "photos", {"bad": 8, "ok": 8}, size=(32, 32), channels=3)
    file = None if classes is None else resnet20_file(tmp_path / "weights.pth", classes)
    with pytest.raises(UsageError, match=says):
        train(TrainRequest(data, tmp_path / "run", "resnet20", recipe={"epochs": 0}, weights=file))
    assert not (tmp_path / "run").exists()
