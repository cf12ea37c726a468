"""Which parts are kept for the proof, and what a fit refuses before any work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gonogo.data.manifest import Manifest
from gonogo.data.split import linked_groups
from gonogo.data.task import Task
from gonogo.errors import UsageError
from gonogo.evaluate.guarantee import needed_parts, order_for, proven_rate
from gonogo.fitting.proof import divide, for_training
from gonogo.fitting.request import FitRequest
from gonogo.search.budgets import Budgets
from tests.helpers import make_manifest

TASK = Task(("defect", "ok"), "ok")


def parts(defective: int, good: int, views: int = 2, split: str = "") -> Manifest:
    """Return photos of so many parts."""
    rows = []
    for label, count in (("defect", defective), ("ok", good)):
        for part in range(count):
            rows += [(label, split, f"{label}{part}", f"{label}{part}-{view}") for view in range(views)]
    return make_manifest(rows)


def test_as_many_parts_are_kept_as_prove_the_rate_and_hardly_more():
    proof = divide(parts(400, 400), TASK, Budgets(max_escape=0.02), 0)
    needed = needed_parts(0.02, 0.95)
    assert needed == 149
    assert needed <= proof.parts["defective"] <= 1.08 * needed
    assert proof.rate == 0.02
    assert {sample.split for sample in proof.manifest.samples} == {"train", "val"}
    # No part stands on both sides.
    numbers = linked_groups(proof.manifest)
    sides = {
        number: {s.split for n, s in zip(numbers, proof.manifest.samples, strict=True) if n == number}
        for number in numbers
    }
    assert all(len(side) == 1 for side in sides.values())
    manifest, kept = for_training(proof)
    assert len(manifest) == sum(kept) == len(proof.manifest.select("train"))


def test_where_there_are_parts_enough_the_proof_has_room_for_misses():
    proof = divide(parts(500, 300), TASK, Budgets(max_escape=0.05), 0)
    # 59 parts prove 5 % without a miss, 153 with three: P(Binomial(153, .05) <= 3) is the first below .05.
    assert order_for(152, 0.05, 0.95) == 3
    assert order_for(153, 0.05, 0.95) == 4
    assert 153 <= proof.parts["defective"] <= 170


def test_too_few_parts_are_said_with_how_many_would_do():
    proof = divide(parts(60, 9), TASK, Budgets(max_escape=0.01), 0)
    assert 15 <= proof.parts["defective"] <= 27
    first, second = proof.cannot(0.95)
    assert first == (
        f"{proof.parts['defective']} defective parts for the proof: even without a mistake nobody can promise less "
        f"than {100 * float(proven_rate(proof.parts['defective'], 0, 0.95)):.1f} % escape; 299 would prove 1 %"
    )
    assert second.endswith("overkill; 59 would prove 5 %")


def test_without_a_budget_the_rate_is_what_the_parts_prove():
    proof = divide(parts(200, 50), TASK, Budgets(), 0)
    assert proof.parts["defective"] >= needed_parts(0.05, 0.95)
    assert float(proven_rate(proof.parts["defective"], 0, 0.95)) <= proof.rate <= 0.05
    assert "no --max-escape was given" in proof.notes[0]


def test_a_test_set_that_came_with_the_photos_stays_untouched_unless_it_leaks():
    train, test = parts(100, 100, split="train"), parts(20, 20, split="test")
    apart = tuple(replace(s, group=f"t{s.group}", sha256=f"t{s.sha256}", path=f"t{s.path}") for s in test.samples)
    clean = Manifest(Path(), (*train.samples, *apart), train.classes)
    proof = divide(clean, TASK, Budgets(max_escape=0.1), 0)
    assert [s.split for s in proof.manifest.samples[-len(apart) :]] == ["test"] * len(apart)
    assert proof.resplit == ""
    leaky = Manifest(Path(), (*train.samples, *(replace(s, path=f"t{s.path}") for s in test.samples)), train.classes)
    proof = divide(leaky, TASK, Budgets(max_escape=0.1), 0)
    assert {s.split for s in proof.manifest.samples} == {"train", "val"}
    assert "leaks" in proof.resplit


def test_kinds_are_divided_without_a_rate():
    task = Task(("defect", "ok"), None)
    proof = divide(parts(40, 40), task, Budgets(), 0)
    assert proof.rate is None
    assert proof.cannot(0.95) == []
    assert proof.parts["ok"] == pytest.approx(8, abs=2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"minutes": 0.1}, "--minutes is 0.1, expected 0.5 or more"),
        ({"minutes": float("nan")}, "--minutes is nan"),
        ({"trials": 0}, "--trials is 0, expected 1 or more"),
    ],
)
def test_impossible_requests_are_refused(options, said):
    with pytest.raises(UsageError, match=said):
        FitRequest(Path("photos"), Path("fit"), **options)


def test_a_folder_is_gone_on_with_only_for_the_same_fit(tmp_path: Path):
    out = tmp_path / "fit"
    first = FitRequest(tmp_path, out, Budgets(max_escape=0.02))
    with pytest.raises(UsageError, match="holds no fit to resume"):
        replace(first, resume=True).open_folder()
    first.open_folder()
    with pytest.raises(UsageError, match="exists"):
        first.open_folder()
    replace(first, resume=True).open_folder()
    with pytest.raises(UsageError, match=r"began with budgets .*0\.02.*now it is .*0\.05"):
        replace(first, budgets=Budgets(max_escape=0.05), resume=True).open_folder()
    replace(first, budgets=Budgets(max_escape=0.05), force=True).open_folder()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "keep.txt").write_text("mine")
    with pytest.raises(UsageError):
        replace(first, out=tmp_path / "other", force=True).open_folder()
    assert (tmp_path / "other" / "keep.txt").read_text() == "mine"
