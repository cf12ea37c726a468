"""The page of an advice: for each augmentation what to do, why, what it looks like, and the figures it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import torch

from gonogo.advise.advise import Advised
from gonogo.advise.changes import Change
from gonogo.advise.helps import MAXIMUM, PLAIN, RECIPE
from gonogo.advise.subjects import as_levels, as_pixels
from gonogo.advise.verdict import Advice
from gonogo.advise.words import difference, interval, two_by_two_rows, value_of
from gonogo.evaluate.comparison import Difference
from gonogo.evaluate.held_out import AUC
from gonogo.report.charts import Chart, Drawn, Mark, Tick
from gonogo.report.page import write_page
from gonogo.report.pictures import Picture, encode, is_coarse
from gonogo.types import UInt8Array

SIDE = 112  # pixels on the page, of the longer side of a picture
DRAWS = 12  # of which the one that changes most is shown
# What looks how: the answer in the colours of the other pages.
SHADES = {"use": "info", "refuse": "error", "no evidence": "none"}
# A chart of rows: pixels of one row, of the frame and of what stands around it.
ROW, WIDTH, LEFT, RIGHT, TOP, BOTTOM = 21, 520, 190, 16, 10, 62
MOST_APART = 0.6  # of two AUC; whiskers end there


@dataclass(frozen=True)
class Shot:
    """A picture with what stands below it."""

    picture: Picture
    caption: str


@dataclass(frozen=True)
class Block:
    """An augmentation on the page.

    Attributes:
        advice: what to do with it.
        shade: how the verdict looks.
        shots: a good part under it.
        facts: what it is, and its value.
    """

    advice: Advice
    shade: str
    shots: tuple[Shot, ...]
    facts: tuple[tuple[str, str], ...]


def write_advice_page(path: Path, found: Advised, made: datetime | None = None) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        found: the advice.
        made: when, with its time zone; now unless given.

    Raises:
        UsageError: the folder cannot be written.
    """
    photo = _example(found)
    order = {"use": 0, "refuse": 1, "no evidence": 2}
    blocks = [_block(own, photo) for own in sorted(found.advice, key=lambda own: order[own.answer])]
    labels = [(row.change.label, row.difference, row.is_lost) for row in found.labels.rows]
    if found.reduced is not None:
        labels += [(row.change.label, row.difference, row.is_lost) for row in found.reduced.rows]
    helped = [
        (own.helped.change.label, own.helped.difference, own.helped.sign < 0)
        for own in found.advice
        if own.helped is not None
    ]
    write_page(
        path,
        "advice.html",
        made or datetime.now().astimezone(),
        found=found,
        data=found.request.data.resolve().name,
        facts=_facts(found),
        blocks=blocks,
        label_chart=rows_chart("does the label survive", "AUC of the judge, changed minus plain", labels),
        help_chart=rows_chart("does it help", "AUC, trained with it minus without", helped) if helped else None,
        table=two_by_two_rows(found.cells),
    )


def _facts(found: Advised) -> list[tuple[str, str]]:
    rates = {row.name: row.figures[AUC] for row in found.ranking.standings}
    names = ((RECIPE, "trained by the advice"), (PLAIN.name, "with no augmentation"), (MAXIMUM, "with all at maximum"))
    there = [(rates[name], text) for name, text in names if name in rates]
    return [(f"{rate.value:.3f}", f"{text}, ROC AUC {interval(rate)}") for rate, text in there]


def _block(own: Advice, photo: UInt8Array) -> Block:
    shots = [Shot(_picture(photo), "as it is")]
    shots += [Shot(_picture(_most_changed(photo, row.change)), value_of(row.change)) for row in own.kept]
    label = own.kept[-1]
    facts = [
        (
            "label at the strongest",
            f"{label.mistaken.in_words}; the judge's AUC changes by {label.difference.value:+.3f}",
        ),
        ("like new parts", f"{_share(own)} of photos of unseen parts lie nearest to a changed one"),
        (_trained_with(own), difference(own.helped)),
    ]
    return Block(own, SHADES[own.answer], tuple(shots), tuple(facts))


def _share(own: Advice) -> str:
    last = own.covered[-1]
    return f"{100 * last.share:.0f} % ({100 * last.low:.0f} to {100 * last.high:.0f})"


def _trained_with(own: Advice) -> str:
    return "not trained with it" if own.helped is None else f"trained with {own.helped.change.label} alone, AUC"


def _example(found: Advised) -> UInt8Array:
    """Return (h, w, C), a photo of a good part, or of the first class."""
    good = found.subjects.prepared.task.good_index or 0
    place = int((found.subjects.labels == good).argmax())
    return np.asarray(found.subjects.prepared.pixels[place])


def _most_changed(photo: UInt8Array, change: Change) -> UInt8Array:
    """Return the photo changed as far as a few draws go."""
    levels = as_levels(photo[None]).repeat(DRAWS, 1, 1, 1)
    changed = change.apply(levels, seed=1)
    far = (changed - levels).abs().mean((1, 2, 3))
    return np.asarray(as_pixels(changed[int(torch.argmax(far))][None])[0])


def _picture(pixels: UInt8Array) -> Picture:
    height, width = pixels.shape[:2]
    zoom = SIDE / max(height, width)
    return Picture(encode(pixels), round(width * zoom), round(height * zoom), is_coarse((width, height)))


def rows_chart(name: str, title: str, rows: list[tuple[str, Difference, bool]]) -> Chart:
    """Return a chart with a row for each difference, its interval as whiskers, and a line at no difference.

    Args:
        name: what it shows.
        title: of the axis.
        rows: name, difference, and whether it speaks against.
    """
    bottom = TOP + ROW * len(rows)

    def across(value: float) -> float:
        share = (max(-MOST_APART, min(MOST_APART, value)) + MOST_APART) / (2 * MOST_APART)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    marks, ticks = [], []
    for number, (label, own, against) in enumerate(rows):
        up = TOP + ROW * (number + 0.5)
        style = "against" if against else "curve"
        marks.append(Mark(style, across(own.value), up, (across(own.low), across(own.high))))
        ticks.append(Tick(up, label))
    steps = [Tick(across(step / 10), f"{step / 10:+.1f}".replace("-", "\N{MINUS SIGN}")) for step in range(-6, 7, 2)]
    zero = Drawn("chance", f"M{across(0)} {TOP}V{bottom}")
    return Chart(
        name,
        title,
        "",
        tuple(steps),
        tuple(ticks),
        (),
        (zero,),
        tuple(marks),
        width=WIDTH,
        height=bottom + BOTTOM,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=bottom,
    )
