"""A fit whose photos alone took its time says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from gonogo.fitting.fit import _say_if_late, tail_seconds
from gonogo.search.clock import Clock


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (0, []),
        (200, []),
        (222, ["  that alone took 3.7 of the 4 minutes; what follows is the least that makes a gauge"]),
        (900, ["  that alone took 15.0 of the 4 minutes; what follows is the least that makes a gauge"]),
    ],
)
def test_it_is_said_where_less_is_left_than_the_end_takes(tmp_path: Path, gone: float, said: list[str]):
    (tmp_path / "clock.json").write_text(f'{{"seconds": {gone}}}')
    clock = Clock(tmp_path / "clock.json", 240)
    assert tail_seconds(clock) == pytest.approx(27.2)
    found: list[str] = []
    _say_if_late(clock, found.append)
    assert found == said
