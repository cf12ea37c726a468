"""Errors and registries: exit codes, and the nearest name."""

from __future__ import annotations

import pytest

from gonogo.errors import BarNotMetError, GonogoError, MissingExtraError, UsageError, did_you_mean
from gonogo.registry import Registry


def test_exit_codes():
    codes = {error.__name__: error.exit_code for error in GonogoError.__subclasses__()}
    assert codes.pop("BarNotMetError") == 1
    assert BarNotMetError("x").exit_code == 1
    assert set(codes.values()) == {2}
    assert len(codes) >= 7


def test_a_missing_extra_names_its_install_command():
    assert str(MissingExtraError("torch", "train")).endswith("run: pip install 'gonogo[train]'")


def test_the_nearest_name_is_suggested_and_all_are_listed():
    assert did_you_mean("tapper", ["taper-wide", "taper"]) == "did you mean 'taper'? there are: taper, taper-wide"
    assert did_you_mean("xyz", ["taper"]) == "there are: taper"


def test_a_registry_imports_on_demand_and_refuses_unknown_names():
    registry: Registry[object] = Registry("thing", {"sqrt": "math:sqrt", "broken": "no_such_module:x"})
    assert registry.get("sqrt")(9) == 3  # type: ignore[operator]
    assert (list(registry), len(registry), "sqrt" in registry, "x" in registry) == (["sqrt", "broken"], 2, True, False)
    with pytest.raises(UsageError, match="unknown thing 'sqr'; did you mean 'sqrt'"):
        registry.get("sqr")
