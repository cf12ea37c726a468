"""Pages: one HTML file each, with style, script and pictures inside, which opens offline and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gonogo import __version__
from gonogo.files import write_text

NAME_LENGTH = 31  # characters of a file name under a picture


def write_page(path: Path, template: str, made: datetime, **content: Any) -> None:
    """Write a page whole, or leave what was there.

    Args:
        path: the file.
        template: below ``templates/``.
        made: when, with its time zone.
        content: what the template shows; all of its text is escaped.

    Raises:
        UsageError: the folder cannot be written.
    """
    write_text(path, render(template, made, **content))


def render(template: str, made: datetime, **content: Any) -> str:
    """Return a page; arguments and errors as for `write_page`."""
    page = _environment().get_template(template).render(made=made, version=__version__, **content)
    # A file name need not be valid text; a page must be.
    return page.encode("utf-8", "replace").decode("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gonogo.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": "{:,}".format,
        "percent": percent,
        "figure": figure,
        "signed": signed,
        "rate": "{:.3f}".format,
        "options": options,
        "shorten": shorten,
    }
    script = (files("gonogo.report") / "templates" / "page.js").read_text(encoding="utf-8")
    environment.globals |= {
        "script": Markup(script),  # our own file, not text from the data
        # The page's policy runs this one script and no other, whatever a class or a file is called.
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    }
    return environment


def percent(share: float | None) -> str:
    """Return a share as text, with a space at which no line breaks: "97.6 %"."""
    return "-" if share is None else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def figure(value: float) -> str:
    """Return a value of a scale as text."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def signed(value: float) -> str:
    """Return a value between -1 and 1 as text."""
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def options(text: str) -> Markup:
    """Return a text in which the names of options look like what is typed, and are not broken into two lines."""
    pieces = re.split(r"(--[a-z][a-z-]*)", text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if k % 2 else p for k, p in enumerate(pieces))


def shorten(path: str, length: int = NAME_LENGTH) -> str:
    """Shorten a path in its middle: leave out folders, and if that is not enough, the middle of the file's name."""
    if len(path) <= length:
        return path
    first, name = path.partition("/")[0], path.rpartition("/")[2]
    for shown in (f"{first}/…/{name}", f"…/{name}"):
        if "/" in path and len(shown) <= length:
            return shown
    end = length // 2
    return f"{name[: length - end - 1]}…{name[-end:]}"
