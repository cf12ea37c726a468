"""``gonogo predict``: photos to verdicts, with the gauge alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gonogo.cli.console import Console
from gonogo.cli.options import AsJson, SkipUnreadable

if TYPE_CHECKING:
    from gonogo.gauge.gauge import Gauge
    from gonogo.types import Verdict

# More photos than this are not all listed on the screen.
ROWS = 40


def run(
    gauge: Annotated[Path, typer.Argument(help="A gauge folder, or its ONNX file.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of them.")],
    save: Annotated[
        Path | None, typer.Option(help="Write a picture of the photos and their heat maps (PNG, 24 at most).")
    ] = None,
    skip_unreadable: SkipUnreadable = False,
    as_json: AsJson = False,
) -> None:
    """Say go or no-go for each photo."""
    from gonogo.errors import DataError
    from gonogo.files import check_writable
    from gonogo.gauge.gauge import Gauge

    with Console(as_json) as console:
        opened = Gauge.load(gauge)
        paths = _collect(photos)
        if save is not None:
            check_writable(save.parent)  # found out now, before the photos are asked
        answers: list[tuple[Path, Verdict]] = []
        broken: list[str] = []
        for done, path in enumerate(paths, start=1):
            try:
                answers.append((path, opened.inspect(path)))
            except DataError as error:
                broken.append(str(error))
            console.progress("asking", done, len(paths))
        if broken and not skip_unreadable:
            raise DataError(
                f"{len(broken)} of {len(paths)} photos cannot be judged ({'; '.join(broken[:3])}"
                f"{'; ...' if len(broken) > 3 else ''}); repair them, or go on without them with --skip-unreadable"
            )
        for reason in broken:
            console.note(f"left out: {reason}")
        _show(console, opened, answers)
        if save is not None and answers:
            _draw(opened, gauge, answers, save)
            console.line(f"picture: {save}")
        console.result([{"path": str(path), **verdict.to_json()} for path, verdict in answers])


def _collect(photos: list[Path]) -> list[Path]:
    from gonogo.data.formats.imagefolder import photos_below
    from gonogo.errors import DataError

    paths: list[Path] = []
    for photo in photos:
        if not photo.exists():
            raise DataError(f"no such photo or folder: {photo}")
        found = photos_below(photo) if photo.is_dir() else [photo]
        if not found:
            raise DataError(f"{photo}: no photos in this folder; give one that holds JPEG, PNG or similar files")
        paths += found
    return paths


def _why(gauge: Gauge, verdict: Verdict) -> str:
    """Return what a person should know of a photo that is no go; empty for the others."""
    decision = gauge.facts.decision
    if verdict.is_unknown:
        return f"unlike anything in training, {verdict.novelty:.1f} times the limit"
    if verdict.verdict == "review":
        return "between both thresholds"
    if verdict.verdict == "no-go" and gauge.facts.about.get("good_alone") and decision.threshold is not None:
        times = _odds(verdict.prob) / _odds(decision.threshold)
        return f"unlike good parts, {times:.1f} times the limit"
    return ""


def _odds(prob: float) -> float:
    return prob / max(1 - prob, 1e-7)


def _show(console: Console, gauge: Gauge, answers: list[tuple[Path, Verdict]]) -> None:
    """Print the verdicts, and how many there are of each.

    The likeliest defects come first where there are many, or where no defect is known yet and they are worth a look.
    """
    from collections import Counter

    in_order = len(answers) <= ROWS and not gauge.facts.about.get("good_alone")
    shown = answers if in_order else sorted(answers, key=lambda pair: -pair[1].prob)[:ROWS]
    reasons = [_why(gauge, verdict) for _, verdict in shown]
    columns = ("photo", "verdict", "label", "probability", "where (x, y, w, h)")
    rows = (
        (
            str(path),
            verdict.verdict or "-",
            verdict.label,
            f"{verdict.prob:.4f}",
            ", ".join(map(str, verdict.region)) if verdict.region else "",
            *([reason] if any(reasons) else []),
        )
        for (path, verdict), reason in zip(shown, reasons, strict=True)
    )
    console.table((*columns, "why") if any(reasons) else columns, rows)
    if len(shown) < len(answers):
        console.line(f"the {len(shown)} highest probabilities of {len(answers)} photos; --json lists all")
    counts = Counter(verdict.verdict or verdict.label for _, verdict in answers)
    console.line(", ".join(f"{count} {name}" for name, count in counts.most_common()))


def _draw(gauge: Gauge, name: Path, answers: list[tuple[Path, Verdict]], save: Path) -> None:
    from gonogo.report.sheet import Tile, draw_sheet, save_sheet

    def tile(path: Path, verdict: Verdict) -> Tile:
        title = f"{verdict.verdict}: {verdict.label}" if verdict.verdict else verdict.label
        detail = f"probability {verdict.prob:.3f}   {path.name}"
        return Tile(gauge.read(path), verdict.heatmap, verdict.verdict or "right", title, detail)

    shown = answers[:24]
    subtitle = f"{len(shown)} of {len(answers)} photos"
    sheet = draw_sheet([tile(*answer) for answer in shown], gauge.facts.grid, f"{name.name}", subtitle)
    save_sheet(sheet, save)
