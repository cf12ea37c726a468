"""The notebook of the examples, run from top to bottom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import REPOSITORY

NOTEBOOK = REPOSITORY / "examples" / "fit.ipynb"


@pytest.mark.slow
def test_every_cell_runs_and_the_gauge_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not [cell for cell in cells if cell["cell_type"] == "code" and cell["outputs"]]  # kept without their output
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), names)
    said = capsys.readouterr().out
    assert "120 photos of 60 parts" in said
    # The threshold lies below every defective part of the proof, so that none of them is a go.
    assert not [answer for label, answer in names["answers"] if label == "defect" and answer.verdict == "go"]
    assert names["found"].gauge.files[0].size_bytes < 60_000
