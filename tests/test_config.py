"""Configurations: every type there and back, and every wrong value refused by name."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from gonogo.config import from_dict, read_toml, to_dict, toml_text
from gonogo.errors import ConfigError


@dataclass(frozen=True)
class Sample:
    count: int
    rate: float = 0.5
    flag: bool = False
    mode: Literal["fast", "slow"] = "fast"
    widths: tuple[int, ...] = (1, 2)
    box: tuple[int, int] | None = None
    name: str | None = None
    extra: dict[str, Any] | None = None


def read(**values: Any) -> Sample:
    return from_dict(Sample, values, where="test")


def test_a_dataclass_survives_toml():
    config = Sample(3, 0.25, True, "slow", (4, 5, 6), (7, 8), "x y", {"a": 1})
    assert read(**tomllib.loads(toml_text(to_dict(config)))) == config


def test_none_is_an_absent_key():
    assert set(to_dict(Sample(1))) == {"count", "rate", "flag", "mode", "widths"}
    assert read(count=1) == Sample(1)


def test_the_text_of_a_command_line_is_read_as_the_field_s_type():
    text = read(count="3", rate="1e-2", flag="True", mode="slow", widths="4,5", box="1,2", name="abc")
    assert text == Sample(3, 0.01, True, "slow", (4, 5), (1, 2), "abc")
    assert read(count="3", widths="7").widths == (7,)
    assert read(count=1, name="none").name is None


def test_a_whole_number_is_a_float_too():
    rate = read(count=1, rate=2).rate
    assert rate == 2.0
    assert isinstance(rate, float)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"count": 1, "widht": 3}, "test: unknown key 'widht'; did you mean 'widths'?"),
        ({}, "test: 'count' is missing"),
        ({"count": "three"}, "test: count is 'three', expected int"),
        ({"count": 1.5}, "test: count is 1.5, expected int"),
        ({"count": True}, "test: count is True, expected int"),
        ({"count": 1, "flag": "maybe"}, "test: flag is 'maybe', expected bool"),
        ({"count": 1, "flag": 1}, "test: flag is 1, expected bool"),
        ({"count": 1, "mode": "slwo"}, "test: mode is 'slwo'; did you mean 'slow'?"),
        ({"count": 1, "box": [1, 2, 3]}, "test: box has 3 values, expected 2"),
        ({"count": 1, "widths": "4,five"}, "test: widths is 'five', expected int"),
        ({"count": 1, "extra": 3}, "test: extra is 3, expected a table"),
    ],
)
def test_wrong_values_are_named(values: dict[str, Any], words: str):
    with pytest.raises(ConfigError) as caught:
        read(**values)
    assert words in str(caught.value)


def test_a_file_that_is_no_toml_is_named(tmp_path):
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(ConfigError, match=r"bad\.toml is not TOML"):
        read_toml(tmp_path / "bad.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        read_toml(tmp_path / "binary.toml")
    with pytest.raises(ConfigError, match=r"cannot read .*gone\.toml"):
        read_toml(tmp_path / "gone.toml")
