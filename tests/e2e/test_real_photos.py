"""Real photos with the traps they came with."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from gonogo.data.formats import read_dataset
from gonogo.data.manifest import Manifest
from gonogo.data.scan import scan
from gonogo.data.split import shared_content, split_manifest
from gonogo.data.task import resolve_task
from gonogo.errors import DataError
from gonogo.export.gauge import export_gauge
from gonogo.export.parity import answer
from gonogo.gauge.gauge import Gauge
from gonogo.train.prepare import DataOptions, choose_geometry
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from tests.helpers import link_castings


@pytest.fixture(scope="module")
def casting(real_data: Path) -> Manifest:
    return read_dataset(real_data / "casting")


def test_castings_are_read_with_their_splits_and_their_good_class(casting: Manifest):
    assert casting.select("train").counts() == {"def_front": 2234, "ok_front": 1781}
    assert casting.select("test").counts() == {"def_front": 269, "ok_front": 151}
    task = resolve_task(casting.classes)
    assert task.good == "ok_front"
    assert not task.is_sorting


def test_the_leak_of_the_published_split_is_counted_by_its_bytes(casting: Manifest):
    hashes = {
        sample.path: hashlib.sha256(casting.path_of(sample).read_bytes()).hexdigest() for sample in casting.samples
    }
    train_hashes = {hashes[s.path] for s in casting.select("train").samples}
    twice = sum(hashes[s.path] in train_hashes for s in casting.select("test").samples)
    assert twice > 0
    found = scan(casting)
    assert found.channels == 1
    assert found.sizes == {(300, 300): 4435}
    assert shared_content(found.manifest) == twice
    split = split_manifest(found.manifest).manifest
    assert split.select("test").samples == found.manifest.select("test").samples
    # What this project itself splits off shares no bytes with training.
    val = {s.sha256 for s in split.select("val").samples}
    assert val.isdisjoint(s.sha256 for s in split.select("train").samples)


def test_steel_strip_is_sorted_into_kinds_with_spaces_in_their_names(real_data: Path):
    manifest = read_dataset(real_data / "x-sdd")
    assert len(manifest) == 1360
    assert len(manifest.classes) == 7
    assert {"red iron", "oxide scale of plate system"} <= set(manifest.classes)
    assert (min(manifest.counts().values()), max(manifest.counts().values())) == (63, 397)
    assert resolve_task(manifest.classes).is_sorting


def test_steel_strip_s_sizes_are_refused_with_a_crop_that_works(real_data: Path):
    scanned = scan(read_dataset(real_data / "x-sdd"))
    if len(scanned.sizes) == 1:
        assert choose_geometry(scanned, DataOptions()).input_size == (128, 128)
        return
    with pytest.raises(DataError, match=r"the photos have \d+ sizes") as caught:
        choose_geometry(scanned, DataOptions())
    text = str(caught.value).rsplit("--crop ", 1)[1]
    width, height = (int(side) for side in text.split("+")[0].split("x"))
    geometry = choose_geometry(scanned, DataOptions(crop=(0, 0, width, height)))
    assert (geometry.height, geometry.region) == (None, (0, 0, width, height))
    assert (width, height) == (min(w for w, _ in scanned.sizes), min(h for _, h in scanned.sizes))


def test_a_folder_of_photos_without_classes_is_refused(real_data: Path):
    with pytest.raises(DataError, match="900 photos but no class folders"):
        read_dataset(real_data / "neu-voc" / "JPEGImages")
    with pytest.raises(DataError, match="Annotations: a class folder with no photos"):
        read_dataset(real_data / "neu-voc", "imagefolder")


def test_a_gauge_answers_real_castings_as_the_network_does(casting: Manifest, tmp_path: Path):
    photos = link_castings(casting, tmp_path / "photos", 60)
    run = train(TrainRequest(photos, tmp_path / "run", recipe={"epochs": 2, "batch_size": 8}))
    exported = export_gauge(Run.open(run.path), tmp_path / "gauge")
    gauge = Gauge.load(tmp_path / "gauge")
    network = run.deployed()
    test = casting.select("test").samples[::10][:40]
    pixels = np.stack([gauge.read(casting.path_of(sample)) for sample in test])
    expected = answer(network, pixels)
    verdicts = [gauge.inspect(photo) for photo in pixels]
    found = np.array([verdict.prob for verdict in verdicts])
    assert len(found) == 40
    assert np.abs(found - run.decision.probs(expected.pred_probs)).max() <= 1e-4
    assert [v.verdict for v in verdicts] == run.decision.verdicts(expected.pred_probs, expected.novelty)
    assert exported.parities[0].verdicts_equal
    assert run.config.geometry.reduce == 3
    assert run.config.geometry.channels == 1
