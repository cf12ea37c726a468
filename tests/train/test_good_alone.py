"""A first gauge from good parts alone: the distance from them decides, and what it cannot promise is said."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gonogo.data.good_alone import against_good, good_alone, name_good
from gonogo.data.manifest import Manifest, Sample
from gonogo.data.task import Task
from gonogo.errors import DataError, UsageError
from gonogo.evaluate.good_alone import GoodLimit, limit_from
from gonogo.evaluate.guarantee import proven_rate
from gonogo.export.gauge import export_gauge
from gonogo.export.parity import answer
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import verify
from gonogo.models.layers.distance_head import DistanceHead
from gonogo.models.novelty import Novelty, pool
from gonogo.train.novelty import distance, spread_of
from gonogo.train.prepare import DataOptions
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from tests.helpers import in_process, one_error_line, picture
from tests.helpers_weights import write_weights

OPTIONS = DataOptions(find_copies=False)
LINE = Task(("ok", "defect"), "ok")


def _head(axes: int | None = None) -> tuple[DistanceHead, np.ndarray, torch.Tensor]:
    """A head fitted on forty photos of four channels, other photos, and their distances."""
    torch.manual_seed(0)
    known, others = torch.rand(40, 4, 5, 6) * 3 - 1, torch.rand(7, 4, 5, 6) * 4 - 1
    spread = spread_of(pool(known).double().numpy(), np.arange(40), axes)
    head = DistanceHead(4, 2, len(spread.variances))
    head.novelty.load_state_dict(Novelty.of(spread, 2.5).state_dict())
    return head, distance(spread, pool(others).double().numpy()) / 2.5, others


def test_the_odds_of_a_defect_are_the_distance_in_limits():
    head, expected, photos = _head()
    probs = torch.softmax(head(photos), 1).numpy()
    assert np.allclose(probs[:, 1] / probs[:, 0], expected, rtol=1e-3)
    assert np.allclose(probs[:, 1], expected / (1 + expected), atol=1e-5)


def test_at_the_limit_a_defect_is_as_likely_as_not():
    head, expected, photos = _head()
    head.novelty.scale *= expected[0] ** -0.5
    head.novelty.shift *= expected[0] ** -0.5
    assert torch.softmax(head(photos[:1]), 1)[0, 1].item() == pytest.approx(0.5, abs=1e-4)


def test_the_places_of_a_map_add_up_to_the_distance():
    head, expected, photos = _head()
    maps = head.maps(photos)
    assert maps.shape == (7, 2, 5, 6)
    assert (maps[:, 0] == 0).all()
    assert np.allclose(maps[:, 1].mean((1, 2)).numpy() + 1, expected, rtol=1e-3)


def test_the_map_points_at_the_place_that_is_unlike_good_parts():
    head, _, _ = _head()
    spoilt = torch.rand(7, 4, 5, 6) * 3 - 1
    spoilt[:, :, 3, 2] += 9
    hottest = head.maps(spoilt)[:, 1].flatten(1).argmax(1)
    assert (hottest == 3 * 6 + 2).all()


def test_the_number_of_directions_can_be_fixed():
    head, expected, photos = _head(axes=2)
    assert head.novelty.axes.shape == (12, 2)
    assert np.allclose(torch.softmax(head(photos), 1)[:, 1].numpy(), expected / (1 + expected), atol=1e-5)


def test_a_distance_tells_two_classes_and_no_more():
    with pytest.raises(UsageError, match="found 3 classes"):
        DistanceHead(4, 3, 2)


def _manifest(*samples: tuple[str, str]) -> Manifest:
    rows = tuple(Sample(f"{n}.png", label, split) for n, (label, split) in enumerate(samples))
    return Manifest(Path(), rows, tuple(sorted({label for label, _ in samples})))


def test_a_test_set_may_hold_defects_because_nothing_is_learnt_from_it():
    published = _manifest(("good", "train"), ("good", "test"), ("crack", "test"), ("dent", "test"))
    assert good_alone(published) == "good"
    assert good_alone(published, resplit=True) is None
    binary = against_good(published, "good", "good")
    assert binary.classes == ("good", "defect")
    assert [sample.label for sample in binary.samples] == ["good", "good", "defect", "defect"]
    assert good_alone(_manifest(("good", ""), ("crack", ""))) is None
    assert good_alone(_manifest(("shiny", "")), "shiny") == "shiny"


@pytest.mark.parametrize(
    ("label", "given", "words"),
    [
        ("scratch", None, "'scratch', and its name does not say that it is good"),
        ("ok", "none", "--good none sorts into several"),
        ("ok", "okk", "did you mean 'ok'"),
        ("defect", "defect", "the good class is called 'defect'"),
    ],
)
def test_a_single_class_that_nobody_calls_good_is_refused(label: str, given: str | None, words: str):
    with pytest.raises(UsageError, match=words):
        good_alone(_manifest((label, "")), given)


def test_the_good_class_of_other_photos_is_read_off_their_names():
    assert name_good(("crack", "ok"), "ok") == "ok"
    assert name_good(("crack", "fine"), "ok") == "fine"
    assert name_good(("crack", "dent"), "ok", "none") == "none"
    assert name_good(("crack", "dent"), "ok", "dent") == "dent"
    with pytest.raises(UsageError, match="0 of the classes crack, dent read as good"):
        name_good(("crack", "dent"), "ok")
    with pytest.raises(UsageError, match="did you mean 'dent'"):
        name_good(("crack", "dent"), "ok", "dnt")


def _probs(defect: np.ndarray) -> np.ndarray:
    return np.stack([1 - defect, defect], 1).astype(np.float32)


def test_a_limit_on_good_parts_lost_is_proved_over_parts():
    rng = np.random.default_rng(1)
    probs = rng.uniform(0.1, 0.6, 240)
    groups = [f"part {n // 3}" for n in range(240)]
    decision = GoodLimit(0.05).choose(LINE, _probs(probs), groups, 0.01)
    promise = decision.overkill_guarantee
    assert promise is not None
    assert decision.guarantee is None
    assert (promise.n, promise.unit, promise.misses, promise.met) == (80, "parts", 0, True)
    worst = np.sort(probs.reshape(80, 3).max(1))
    assert (worst >= decision.threshold).sum() == promise.misses
    assert promise.proven == pytest.approx(float(proven_rate(80, promise.misses, 0.95)))


def test_too_few_parts_prove_less_and_say_how_many_would_do():
    decision = GoodLimit(0.01).choose(LINE, _probs(np.linspace(0.1, 0.6, 20)), None, 0.01)
    assert decision.threshold > 0.6
    assert decision.shortfalls == (
        "0 false alarms in 20 photos proves 13.9 %, not 1 %: 299 are needed (95 % confidence)",
    )


def test_without_a_rate_the_limit_is_that_of_the_distance():
    decision = GoodLimit().choose(LINE, _probs(np.array([0.2, 0.7])), None, 0.01)
    assert (decision.threshold, decision.shortfalls) == (0.5, ())
    with pytest.raises(DataError, match="no number for 1 of 2 photos"):
        GoodLimit().choose(LINE, _probs(np.array([0.2, np.nan])), None, 0.01)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_escape": "1%"}, "--max-escape needs photos of defects"),
        ({"cost_escape": 5, "cost_overkill": 1}, "--cost-escape needs photos of defects"),
        ({"best_f1": True}, "--best-f1 needs photos of defects"),
        ({"confidence": "0.9"}, "--confidence says nothing without --max-overkill"),
        ({"max_overkill": "3"}, "write 3% for percent"),
        ({"max_overkill": "3%", "confidence": "1"}, "expected above 0 and below 1"),
    ],
)
def test_options_that_good_parts_alone_cannot_serve_are_refused(options: dict[str, object], words: str):
    with pytest.raises(UsageError, match=words):
        limit_from(**options)
    assert limit_from(max_overkill="3%") == GoodLimit(0.03)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "some.pth")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos each of thirty synthetic castings, all good but those of the test set."""
    from gonogo.data.synthetic import write_castings

    folder = tmp_path_factory.mktemp("good") / "castings"
    write_castings(folder, parts=60, views=2, size=120, difficulty=0.0, seed=3)
    with (folder / "manifest.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["label"] == "ok"]
    with (folder / "good.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ("path", "label", "group"), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def run(good: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("first") / "run"
    request = TrainRequest(good / "good.csv", out, "stump", {"cut": 4}, options=OPTIONS, weights=weights)
    return train(request)


@pytest.fixture(scope="module")
def gauge(run: Run) -> Gauge:
    return export_gauge(run, run.path.parent / "gauge").gauge


def test_a_run_says_what_it_knows_and_what_to_look_at(run: Run):
    config, metrics = run.config, run.metrics
    assert config.task == LINE
    assert config.model.options["axes"] == metrics["good_alone"]["axes"] > 0
    assert metrics["good_alone"]["parts"] == 19
    assert metrics["good_alone"]["photos"] == 38
    assert metrics["good_alone"]["held_back"]["value"] <= 0.01
    assert metrics["good_alone"]["held_back"]["unit"] == "parts"
    assert (metrics["refused"], metrics["novelty"], metrics["unmet"]) == (None, None, [])
    assert metrics["val"]["escape_rate"]["value"] is None
    assert metrics["val"]["f1_defect"]["value"] is None
    assert metrics["val"]["overkill_rate"]["n"] == 5
    rows = metrics["good_alone"]["to_label"]
    distances = [row["distance"] for row in rows]
    assert distances == sorted(distances, reverse=True)
    learnt = {s.path: s.group for s in run.manifest().samples if s.split != "test"}
    assert len({learnt[row["path"]] for row in rows}) == 5


@pytest.mark.slow
def test_the_file_answers_as_the_network_does(run: Run, gauge: Gauge, good: Path):
    photos = np.stack([gauge.read(path) for path in sorted((good / "photos" / "defect").iterdir())[:20]])
    dark = np.round(photos * 0.15).astype(np.uint8)
    for pixels in (photos, dark):
        expected, found = answer(run.deployed(), pixels), gauge.predict(pixels)
        assert np.allclose([v.prob for v in found], expected.pred_probs[:, 1], atol=1e-4)
        largest = max(1, np.abs(expected.heatmap).max())
        assert np.abs(np.stack([v.heatmap for v in found]) - expected.heatmap).max() / largest < 1e-4
    assert all(v.verdict == "no-go" and v.region is not None for v in gauge.predict(dark))
    (row,) = verify(gauge)
    assert row[1].holds
    assert gauge.facts.about["good_alone"]["parts"] == 19
    assert "to_label" not in gauge.facts.about["good_alone"]


def test_other_names_of_defects_are_defects_to_it(gauge: Gauge, good: Path, tmp_path: Path):
    shutil.copytree(good / "photos" / "ok", tmp_path / "new" / "fine")
    (tmp_path / "new" / "lamp dead").mkdir()
    for path in sorted((good / "photos" / "defect").iterdir())[:9]:
        dark = np.round(gauge.read(path)[:, :, :1] * 0.15).astype(np.uint8)
        picture(dark).save(tmp_path / "new" / "lamp dead" / f"{path.stem}.png")
    done = in_process("eval", gauge.path, tmp_path / "new", "-o", tmp_path / "eval", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["confusion"].keys() == {"ok", "defect"}
    assert document["confusion"]["defect"] == {"ok": 0, "defect": 9}
    assert document["auc"]["value"] == 1
    assert "no defect was ever shown to it: escapes cannot be promised" in done.stderr
    assert "lamp dead: all that is not good counts as a defect" in done.stderr
    (tmp_path / "new" / "fine").rename(tmp_path / "new" / "shiny")
    line = one_error_line(in_process("eval", gauge.path, tmp_path / "new", "-o", tmp_path / "again"))
    assert "--good NAME" in line
    again = in_process("eval", gauge.path, tmp_path / "new", "-o", tmp_path / "again", "--good", "shiny", "--json")
    assert json.loads(again.stdout)["confusion"] == document["confusion"]


def test_good_photos_alone_tell_what_is_lost(gauge: Gauge, good: Path, tmp_path: Path):
    shutil.copytree(good / "photos" / "ok", tmp_path / "new" / "ok")
    done = in_process("eval", gauge.path, tmp_path / "new", "-o", tmp_path / "eval", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["overkill_rate"]["value"] < 0.2
    assert document["escape_rate"]["value"] is None


def test_a_published_split_with_defects_in_test_alone_is_learnt_and_tested(good: Path, weights: Path, tmp_path: Path):
    photos = tmp_path / "photos"
    shutil.copytree(good / "photos" / "ok", photos / "train" / "good")
    (photos / "test" / "good").mkdir(parents=True)
    for path in sorted((photos / "train" / "good").iterdir())[:10]:
        path.rename(photos / "test" / "good" / path.name)
    shutil.copytree(good / "photos" / "defect", photos / "test" / "crack")
    options = replace(OPTIONS, group_by=r"(part_\d+)_view")
    run = train(TrainRequest(photos, tmp_path / "run", "stump", {"cut": 4}, options=options, weights=weights))
    assert run.config.task == Task(("good", "defect"), "good")
    counts = {split: run.manifest().select(split).counts() for split in ("train", "val", "test")}
    assert counts["train"]["defect"] == counts["val"]["defect"] == 0
    assert counts["test"] == {"good": 10, "defect": len(list((good / "photos" / "defect").iterdir()))}
    done = in_process("eval", run.path, "--json")
    assert json.loads(done.stdout)["auc"]["value"] > 0.5


def test_photos_in_no_folder_are_of_the_class_that_is_named(good: Path, weights: Path, tmp_path: Path):
    shutil.copytree(good / "photos" / "ok", tmp_path / "loose")
    words = ("train", tmp_path / "loose", "-o", tmp_path / "run", "--arch", "stump", "--cut", 4, "--weights", weights)
    assert "no class folders" in one_error_line(in_process(*words))
    done = in_process(*words, "--good", "shiny", "--max-overkill", "1%", "--no-find-copies")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: 0 false alarms in 10 photos proves 25.9 %, not 1 %: 299 are")
    assert "no defect was ever shown to it: escapes cannot be promised" in done.stdout
    assert "most worth labelling" in done.stdout
    assert Run.open(tmp_path / "run").config.task == Task(("shiny", "defect"), "shiny")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--arch", "taper"),
            ["only one class, 'ok'", "'taper' needs photos of defects", "--arch stump --weights FILE"],
        ),
        (("--cut", "auto"), ["--cut auto learns from defects"]),
        (("--unfreeze", "2"), ["--unfreeze learns from defects"]),
        (("--imbalance", "focal"), ["--imbalance learns from defects"]),
        (("--with", "axes=3"), ["axes is found on the photos"]),
        (("--max-escape", "1%"), ["--max-escape needs photos of defects", "nothing can be promised of escapes"]),
        (("--cost-escape", "5", "--cost-overkill", "1"), ["--cost-escape needs photos of defects"]),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_needs_defects_is_refused_in_one_line(
    arguments: tuple[str, ...], words: list[str], good: Path, weights: Path, tmp_path: Path
):
    command = ["train", good / "good.csv", "-o", tmp_path / "run", "--weights", weights, "--arch", "stump", *arguments]
    line = one_error_line(in_process(*command))
    assert [word for word in words if word not in line] == []
    assert not (tmp_path / "run").exists()


def test_nine_good_parts_are_too_few(good: Path, weights: Path, tmp_path: Path):
    rows = (good / "good.csv").read_text().splitlines()
    (tmp_path / "few.csv").write_text("\n".join(rows[: 1 + 2 * 9]) + "\n")
    command = ("train", tmp_path / "few.csv", "--photos", good, "-o", tmp_path / "run", "--weights", weights)
    line = one_error_line(in_process(*command, "--arch", "stump"))
    assert "18 good photos show 9 different parts, expected 10" in line


def test_photos_that_are_all_alike_tell_nothing(weights: Path, tmp_path: Path):
    (tmp_path / "photos" / "ok").mkdir(parents=True)
    for number in range(20):
        flat = np.full((64, 64, 1), 100, dtype=np.uint8)
        picture(flat).save(tmp_path / "photos" / "ok" / f"{number}.png", pnginfo=_comment(number))
    request = TrainRequest(tmp_path / "photos", tmp_path / "run", "stump", {"cut": 4}, options=OPTIONS, weights=weights)
    with pytest.raises(DataError, match="sees no difference between the 13 training photos"):
        train(request)


def _comment(number: int):
    """Make files differ whose pixels do not."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("number", str(number))
    return info


@pytest.mark.slow
def test_real_features_tell_defects_that_nobody_showed_them(good: Path, real_data: Path, tmp_path: Path):
    weights = next((real_data / "weights").glob("mobilenet_v2_*.pth"))
    options = {"cut": 12}
    run = train(TrainRequest(good / "good.csv", tmp_path / "run", "stump", options, options=OPTIONS, weights=weights))
    gauge = export_gauge(run, tmp_path / "gauge").gauge
    test = run.manifest().select("test")
    verdicts = [gauge.inspect(test.path_of(sample)) for sample in test.samples]
    assert np.mean([v.verdict == "go" for v in verdicts]) > 0.7
    defects = [gauge.inspect(path) for path in sorted((good / "photos" / "defect").iterdir())]
    rank = [v.prob > other.prob for v in defects for other in verdicts]
    assert np.mean(rank) > 0.7


def test_a_photo_in_review_says_why(run_folder: Path, gauge_folder: Path, plates: Path, tmp_path: Path):
    gauge = Gauge.load(gauge_folder)
    assert gauge.facts.about["novelty"] is not None
    photo = gauge.read(plates / "ok" / "00.png")
    picture(255 - photo).save(tmp_path / "negative.png")
    verdict = gauge.inspect(tmp_path / "negative.png")
    assert verdict.verdict == "review"
    done = in_process("predict", gauge_folder, "negative.png", cwd=tmp_path)
    words = " ".join(done.stdout.split())
    assert "why" in words
    assert f"{verdict.novelty:.1f}" in words
