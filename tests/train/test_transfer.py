"""Training on pretrained weights: what a run holds, what is refused, and real castings with real weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from gonogo.audit.copies import find_copies
from gonogo.data.formats import read_dataset
from gonogo.data.geometry import Geometry
from gonogo.data.groups import join_groups
from gonogo.data.images import decode_photo
from gonogo.data.manifest import Manifest
from gonogo.errors import DataError, RunError, UsageError
from gonogo.export.gauge import export_gauge
from gonogo.export.parity import answer
from gonogo.gauge.gauge import Gauge
from gonogo.models import ARCHITECTURES, stump
from gonogo.models.architecture import Pretraining
from gonogo.models.deployed import Deployed
from gonogo.train.features import BATCH_PIXELS, batch_size, extract
from gonogo.train.loader import Loader
from gonogo.train.prepare import DataOptions
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, plan, train
from tests.helpers import in_process, one_error_line, write_kinds, write_photos
from tests.helpers_weights import random_state, write_weights

STUMP = {"cut": 4}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "some.pth")


def request(data: Path, out: Path, weights: Path | None, **changes: object) -> TrainRequest:
    return TrainRequest(data, out, "stump", STUMP, weights=weights, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def stump_run(plates: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(request(plates, tmp_path_factory.mktemp("stump") / "run", weights))


def test_a_run_says_what_it_stands_on(stump_run: Run, weights: Path):
    names = {path.name for path in stump_run.path.iterdir()}
    assert names == {
        "run.toml",
        "model.json",
        "model.safetensors",
        "novelty.safetensors",
        "manifest.csv",
        "history.csv",
        "metrics.json",
        "predictions.parquet",
    }
    config = Run.open(stump_run.path).config
    assert config.weights["source"] == "some.pth"
    assert len(config.weights["sha256"]) == 64
    assert (config.geometry.mean, config.geometry.std) == ((127.5,), (127.5,))
    metrics = stump_run.metrics
    assert metrics["params"] == metrics["params_trainable"] + metrics["params_frozen"] + metrics["params_statistics"]
    assert (metrics["params_trainable"], metrics["params_frozen"], metrics["epochs"]) == (194, 25_216, 0)
    assert metrics["refused"] is None
    rows = (stump_run.path / "history.csv").read_text().splitlines()
    assert rows[0] == "strength,log_loss,images_per_second"
    assert len(rows) == 5


def test_the_backbone_is_the_file_s_and_the_head_is_not_chance(stump_run: Run):
    network = stump_run.load_network()
    state = random_state()
    assert torch.equal(network.state_dict()["body.3.conv.2.weight"], state["features.3.conv.2.weight"])
    # Even random features tell holes from none; what they are worth on real parts is another question.
    assert stump_run.metrics["val"]["auc"]["value"] > 0.7


def test_the_same_seed_gives_the_same_bits(plates: Path, weights: Path, stump_run: Run, tmp_path: Path):
    again = train(request(plates, tmp_path / "run", weights))
    assert (again.path / "model.safetensors").read_bytes() == (stump_run.path / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_an_exported_stump_answers_as_it_was_trained(stump_run: Run, plates: Path, tmp_path: Path):
    exported = export_gauge(stump_run, tmp_path / "gauge")
    assert exported.parities[0].max_abs_diff <= 1e-4
    gauge = Gauge.load(tmp_path / "gauge")
    holes = [gauge.inspect(path) for path in sorted((plates / "defect").iterdir())]
    assert all(verdict.heatmap is not None and verdict.heatmap.shape == (8, 8) for verdict in holes)
    assert sum(verdict.verdict == "no-go" for verdict in holes) >= 20


@pytest.mark.slow
def test_kinds_in_colour_are_sorted(weights: Path, tmp_path: Path):
    data = write_kinds(tmp_path / "photos", 12)
    options = DataOptions(colour="rgb", size=(48,))
    run = train(replace(request(data, tmp_path / "run", weights, options=options), arch_options={"cut": 2}))
    assert run.config.model.num_classes == 3
    assert run.config.geometry.input_size == (48, 48)
    assert run.config.geometry.mean == (127.5,) * 3
    assert run.metrics["val"]["accuracy"]["value"] > 0.8
    assert export_gauge(run, tmp_path / "gauge").parities[0].verdicts_equal


@pytest.mark.slow
def test_tall_photos_are_taken_whole(weights: Path, tmp_path: Path):
    data = write_photos(tmp_path / "photos", {"ok": 6, "bad": 6}, size=(310, 125))
    whole = request(data, tmp_path / "run", weights, options=DataOptions(reduce=1))
    run = train(replace(whole, arch_options={"cut": 2}))
    assert run.config.geometry.input_size == (310, 125)
    exported = export_gauge(run, tmp_path / "gauge")
    assert exported.parities[0].max_abs_diff <= 1e-4
    # A quarter of each side, whatever its length.
    assert Gauge.load(tmp_path / "gauge").inspect(next((data / "ok").iterdir())).heatmap.shape == (78, 32)


def test_a_whole_photo_of_a_sealant_s_size_is_asked_in_small_steps():
    assert batch_size((1240, 500)) == 1
    assert batch_size((112, 112)) == 15
    assert batch_size((8, 8)) == 64
    assert batch_size((112, 112)) * 112 * 112 <= BATCH_PIXELS


# ---- what is refused


def test_random_weights_never_pass_for_pretrained_ones(plates: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"'stump' stands on pretrained weights.*give MobileNetV2's: --weights FILE"):
        train(request(plates, tmp_path / "run", None))
    assert not (tmp_path / "run").exists()


def test_weights_for_a_network_that_learns_from_nothing_are_refused(plates: Path, weights: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="'taper' learns from nothing; leave --weights out"):
        train(TrainRequest(plates, tmp_path / "run", weights=weights))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, "no file "),
        (lambda path: path.write_text("x") and path, "cannot be read as weights"),
        (lambda path: torch.save({"conv1.weight": torch.zeros(3)}, path) or path, "'features.0.0.weight' is missing"),
    ],
    ids=["absent", "text", "another network"],
)
def test_a_wrong_weights_file_is_one_line(make, message: str, plates: Path, tmp_path: Path):
    path = make(tmp_path / "weights.pth")
    done = in_process("train", plates, "--arch", "stump", "--weights", path, "-o", tmp_path / "run")
    assert message in one_error_line(done)
    assert not (tmp_path / "run").exists()


def test_a_published_file_demands_its_levels(plates: Path, weights: Path, tmp_path: Path, monkeypatch):
    entry = ARCHITECTURES.get("stump")
    digest = Run.open(train(request(plates, tmp_path / "run", weights)).path).config.weights["sha256"]
    assert isinstance(entry.pretraining, Pretraining)
    known = replace(entry.pretraining, known={digest[:8]: {"levels": "imagenet"}})
    monkeypatch.setattr(stump, "STUMP", replace(entry, pretraining=known))
    with pytest.raises(UsageError, match="was learnt with levels=imagenet, found half; add --with levels=imagenet"):
        plan(request(plates, tmp_path / "other", weights))


def test_a_run_is_not_resumed_on_other_weights(plates: Path, weights: Path, tmp_path: Path):
    run = train(request(plates, tmp_path / "run", weights))
    (run.path / "metrics.json").unlink()
    assert train(request(plates, tmp_path / "run", weights, resume=True)).is_finished
    (run.path / "metrics.json").unlink()
    other = write_weights(tmp_path / "some.pth", seed=1)
    with pytest.raises(RunError, match=r"began with weights\.sha256"):
        train(request(plates, tmp_path / "run", other, resume=True))


def test_the_hub_is_asked_only_when_the_user_asks(plates: Path, tmp_path: Path, monkeypatch):
    asked: list[str] = []

    def fetch(url: str, **options: object) -> dict:
        asked.append(url)
        assert options["weights_only"]
        assert options["check_hash"]
        return random_state()

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    with pytest.raises(UsageError, match="add --with levels=imagenet --colour rgb"):
        plan(request(plates, tmp_path / "run", "hub"))  # type: ignore[arg-type]
    assert asked == []
    changes = {"options": DataOptions(colour="rgb")}
    hub = replace(request(plates, tmp_path / "run", "hub", **changes), arch_options={"cut": 1, "levels": "imagenet"})  # type: ignore[arg-type]
    planned = plan(hub)
    assert asked == [stump.HUB_URL]
    assert planned.config.weights["source"] == "hub"
    assert planned.config.geometry.mean == (123.675, 116.28, 103.53)

    def unreachable(url: str, **options: object) -> dict:
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    with pytest.raises(DataError, match=r"cannot fetch .* give --weights FILE"):
        plan(hub)


# ---- features


def test_features_of_several_cuts_come_from_one_pass():
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(1, 3, 3, 2), torch.nn.Conv2d(3, 5, 3, 2)]
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 20, 30, 1), dtype=np.uint8)
    geometry = Geometry(20, 30)
    loader = Loader(pixels, np.arange(6), np.zeros(6, dtype=np.int64), geometry, torch.device("cpu"))
    found = extract(layers, [0, 1], ("avg", "std"), loader, ["b", "a", "b", "b", "a", "c"])
    with torch.no_grad():
        inputs = torch.cat([batch for batch, _ in loader.batches(6)])
        first = layers[0](inputs)
        second = layers[1](first)
    for cut, features in ((0, first), (1, second)):
        channels = features.shape[1]
        assert found[cut].pooled.shape == (6, 2 * channels)
        assert np.allclose(found[cut].pooled[:, :channels], features.mean((2, 3)).numpy(), atol=1e-5)
        covariances = [np.cov(photo.flatten(1).numpy(), bias=True) for photo in features]
        assert np.allclose(found[cut].places[0], (covariances[1] + covariances[4]) / 2, atol=1e-5)
        within = found[cut].within(np.array([1, 4, 5]))
        expected = ((covariances[1] + covariances[4]) / 2 + covariances[5]) / 2
        assert np.allclose(within[:channels, :channels], expected, atol=1e-5)
        assert not within[channels:].any()
        assert not within[:, channels:].any()


# ---- real castings, real weights


@pytest.fixture(scope="module")
def few_castings(real_data: Path) -> Manifest:
    """300 photos of the published castings with the copies among them joined."""
    whole = read_dataset(real_data / "casting")
    rng = np.random.default_rng(0)
    chosen = set(np.concatenate([rng.permutation(np.flatnonzero(whole.labels == k))[:150] for k in range(2)]).tolist())
    few = whole.keep(index in chosen for index in range(len(whole)))
    photos = [decode_photo(few.read_bytes(sample), channels=1)[:, :, 0] for sample in few.samples]
    return join_groups(few, numbers=find_copies(photos).groups.tolist())


@pytest.mark.slow
def test_a_stump_tells_real_castings_apart_of_which_it_saw_no_copy(
    few_castings: Manifest, real_data: Path, tmp_path: Path
):
    samples = tuple(replace(s, path=f"photos/{s.path}", split="") for s in few_castings.samples)
    (tmp_path / "photos").symlink_to(few_castings.root, target_is_directory=True)
    table = replace(few_castings, root=tmp_path, samples=samples)
    table.write(tmp_path / "castings.csv")
    weights = real_data / "weights" / "mobilenet_v2_imagenet_qat_dequant_w16.pth"
    options = DataOptions(size=(112,), test=0.4)
    run = train(TrainRequest(tmp_path / "castings.csv", tmp_path / "run", "stump", options=options, weights=weights))
    exported = export_gauge(run, tmp_path / "gauge")
    assert exported.parities[0].max_abs_diff <= 1e-4
    manifest = run.manifest()
    test = manifest.select("test")
    assert not {*manifest.select("train").groups, *manifest.select("val").groups} & set(test.groups)
    gauge = Gauge.load(tmp_path / "gauge")
    pixels = np.stack([gauge.read(test.path_of(sample)) for sample in test.samples])
    deployed = Deployed(run.load_network(), run.config.geometry, run.config.task).eval()
    pred_probs = answer(deployed, pixels).pred_probs
    found = np.array([gauge.inspect(photo).prob for photo in pixels])
    assert np.abs(run.decision.probs(pred_probs) - found).max() <= 1e-4
    defect = np.array([sample.label == "def_front" for sample in test.samples])
    assert roc_auc_score(defect, found) > 0.9
