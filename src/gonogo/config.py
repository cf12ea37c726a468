"""Frozen dataclasses to and from plain dictionaries and TOML; unknown keys are refused."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from gonogo.errors import ConfigError, MissingExtraError, did_you_mean

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """Return a dataclass as a dictionary of plain values; tuples become lists, None is left out (TOML has none)."""
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value is not None:
            plain[field.name] = list(value) if isinstance(value, tuple) else value
    return plain


def from_dict(cls: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """Build a dataclass from a dictionary.

    Args:
        cls: the dataclass.
        values: field name to value; text is read as the field's type, so that options of a command line fit too.
        where: what is read, for messages.

    Raises:
        ConfigError: a key that the dataclass does not have, one that is missing, or a value of another type.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise ConfigError(f"{where}: unknown key '{key}'; {did_you_mean(key, fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        # None is written as an absent key: TOML has no word for it.
        if required and name not in values and type(None) not in typing.get_args(hints[name]):
            raise ConfigError(f"{where}: '{name}' is missing")
    values = {name: None for name, field in fields.items() if type(None) in typing.get_args(hints[name])} | dict(values)
    return cls(**{key: _coerce(hints[key], value, f"{where}: {key}") for key, value in values.items()})


def _coerce(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None or value == "none":
            return None
        return _coerce(next(a for a in arguments if a is not type(None)), value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise ConfigError(f"{where} is {value!r}; {did_you_mean(str(value), map(str, arguments))}")
        return value
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is {value!r}, expected a table")
        return dict(value)
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else [value] if isinstance(value, int | float) else value
        if arguments[-1] is not Ellipsis and len(items) != len(arguments):
            raise ConfigError(f"{where} has {len(items)} values, expected {len(arguments)}")
        return tuple(_coerce(arguments[0], item, where) for item in items)
    return _scalar(hint, value, where)


def _scalar(hint: Any, value: Any, where: str) -> Any:
    wrong = ConfigError(f"{where} is {value!r}, expected {getattr(hint, '__name__', hint)}")
    if isinstance(value, str) and hint in (bool, int, float):
        word = value.strip().lower()
        if hint is bool:
            if word not in ("true", "false"):
                raise wrong
            return word == "true"
        try:
            return hint(word)
        except ValueError:
            raise wrong from None
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise wrong
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: it is missing or not TOML.
    """
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error


def toml_text(tables: Mapping[str, Any]) -> str:
    """Return a TOML document."""
    try:
        import tomli_w
    except ImportError as error:
        raise MissingExtraError("tomli-w", "train") from error
    return tomli_w.dumps(tables)
