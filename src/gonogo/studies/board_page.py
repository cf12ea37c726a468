"""What a study that compares networks says: its verdict in a sentence, its tables, and its page."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from pathlib import Path

from gonogo.advise.two_by_two import Cell
from gonogo.evaluate.guarantee import percent
from gonogo.report.board import BoardPage, BoardRow, latency_table, times_of, write_board_page
from gonogo.report.study import StudyTable
from gonogo.studies import published
from gonogo.studies.board import Board, Row
from gonogo.studies.paradox import as_table
from gonogo.studies.two_splits import TwoSplits


def show(
    path: Path,
    board: Board,
    rows: tuple[Row, ...],
    cells: tuple[Cell, ...],
    splits: TwoSplits,
    notes: tuple[str, ...],
    *,
    quick: bool = False,
) -> str:
    """Write the page and return its verdict.

    Args:
        path: the HTML file.
        board: what was compared.
        rows: what was found.
        cells: trained plain or augmented, tested plain or augmented; empty where that was not tried.
        splits: the photos.
        notes: what the reader should know of them.
        quick: networks hardly learnt.
    """
    verdict = say(board, rows, splits)
    if quick:
        verdict = f"A first look, in which networks hardly learn. {verdict}"
    page = BoardPage(
        board.study,
        splits.photos.scanned.manifest.root.name,
        verdict,
        _facts(splits),
        tuple(
            BoardRow(
                row.name,
                not row.published,
                row.cost.params,
                row.published.get("accuracy"),
                row.leaky.accuracy if row.leaky else None,
                row.honest.accuracy if row.honest else None,
                row.auc,
                row.why,
            )
            for row in rows
        ),
        (*_paradox(board, cells), *_tables(board, rows)),
        _remarks(rows, splits),
        notes,
    )
    write_board_page(path, page)
    return verdict


def say(board: Board, rows: tuple[Row, ...], splits: TwoSplits) -> str:
    """Return what the study comes to, in two sentences."""
    first = next((row for row in rows if row.name == board.first), None)
    trained = [row for row in rows if row.honest is not None and row.auc is not None]
    if not trained:
        return "No network was trained: this page shows what each costs."
    said = []
    if first is not None and first.honest is not None and first.leaky is not None:
        leaky, honest = first.leaky.accuracy, first.honest.accuracy
        told = f" (published: {percent(first.published['accuracy'])})" if "accuracy" in first.published else ""
        of = "On the published split" if splits.is_own else "On a split drawn photo by photo, as the study drew it,"
        said.append(
            f"{of} the {first.name} is right for {percent(leaky.value or 0)} of the test photos{told}; on parts it "
            f"never saw, for {percent(honest.value or 0)} ({percent(honest.low or 0)} to {percent(honest.high or 1)})."
        )
    best = max(trained, key=lambda row: row.auc.value or 0.0 if row.auc else 0.0)
    assert best.auc is not None
    said.append(
        f"Best on parts never seen: {best.name}, area under the ROC curve {best.auc.value:.3f} ({best.auc.low:.3f} to "
        f"{best.auc.high:.3f}) with {best.cost.params:,} parameters."
    )
    return " ".join(said)


def _facts(splits: TwoSplits) -> tuple[tuple[str, str], ...]:
    manifest = splits.photos.linked
    tested, leaked = int(splits.tested.sum()), int(splits.leaked.sum())
    parts = len(set(manifest.groups))
    shown = {(sample.label, group) for sample, group in zip(manifest.samples, manifest.groups, strict=True)}
    counts = Counter(label for label, _ in shown)
    fewest, count = min(counts.items(), key=itemgetter(1))
    whose = "published test photos" if splits.is_own else "test photos drawn one by one"
    return (
        (f"{leaked:,} of {tested:,}", f"{whose} show a part that is also trained on"),
        (f"{parts:,}", f"different parts or pictures among {len(manifest):,} photos"),
        (f"{count:,}", f"of '{fewest}', the fewest of a class: what is found of it rests on these"),
    )


def _remarks(rows: tuple[Row, ...], splits: TwoSplits) -> tuple[str, ...]:
    """Return what each network sees, and how the two divisions were made."""
    sizes: dict[tuple[int, int], list[str]] = {}
    for row in rows:
        sizes.setdefault(row.cost.input_size, []).append(row.name)
    seen = [f"{width}x{height} pixels: {', '.join(names)}." for (height, width), names in sizes.items()]
    return (
        f"Parts never seen: {splits.count} folds of whole parts, each answered by a network trained on the others; "
        "accuracy is that of the likelier class.",
        *seen,
    )


def _paradox(board: Board, cells: tuple[Cell, ...]) -> tuple[tuple[str, str, StudyTable], ...]:
    if not cells:
        return ()
    note = (
        "Small tapers learnt with and without the study's augmentation, asked about photos with and without it; "
        "intervals, 95 %, over parts."
    )
    return (("Does augmentation pay?", note, as_table(cells, published(board.study).get("paradox", {}))),)


def _tables(board: Board, rows: tuple[Row, ...]) -> tuple[tuple[str, str, StudyTable], ...]:
    names = [row.name for row in rows]
    batches = {row.name: row.latency.by_batch for row in rows if row.latency}
    counts = {row.name: row.latency.by_count for row in rows if row.latency and row.latency.by_count}
    against = f"In brackets: how many times that of the {board.first}."
    tables = [
        ("Size", f"{against}", _sizes(board, rows)),
        ("Mistakes", "At the likelier class, on parts never seen; intervals, 95 %, over parts.", _mistakes(rows)),
    ]
    if batches:
        note = f"Milliseconds a photo, from camera pixels, ONNX Runtime, one thread, all networks in turns. {against}"
        tables.append(("Latency by batch", note, latency_table(names, batches, "a call", board.first)))
    if counts:
        note = f"Seconds for so many photos, 32 a call. {against}"
        tables.append(("Latency by test size", note, latency_table(names, counts, "photos", board.first)))
    return tuple(table for table in tables if table[2].rows)


def _sizes(board: Board, rows: tuple[Row, ...]) -> StudyTable:
    first = next((row.cost for row in rows if row.name == board.first), None)

    def cell(text: str, value: float, base: float | None) -> str:
        return text if base is None else f"{text} ({times_of(value, base)})"

    lines = [
        (
            row.name,
            cell(f"{own.params:,}", own.params, first.params if first else None),
            f"{own.params + own.params_statistics:,}",
            f"{row.published['params']:,.0f}" if "params" in row.published else "-",
            cell(f"{own.macs / 1e6:,.1f}", own.macs, first.macs if first else None),
            cell(f"{own.size_bytes / 1e3:,.0f}", own.size_bytes, first.size_bytes if first else None),
        )
        for row in rows
        for own in (row.cost,)
    ]
    return StudyTable(
        ("network", "parameters", "with BatchNorm's statistics", "published", "M multiply-adds", "kB, ONNX file"),
        tuple(lines),
    )


def _mistakes(rows: tuple[Row, ...]) -> StudyTable:
    trained = [row for row in rows if row.honest is not None]
    if not trained or trained[0].honest is None:
        return StudyTable(("network",), ())
    sorts = trained[0].honest.escape_rate is None
    names = list(trained[0].honest.classes)
    lines = []
    for row in trained:
        own = row.honest
        assert own is not None
        rates = (own.balanced_accuracy,) if sorts else (own.escape_rate, own.overkill_rate)
        cells = [
            "-" if r is None else f"{percent(r.value or 0)} ({percent(r.low or 0)} to {percent(r.high or 1)})"
            for r in rates
        ]
        f1 = [] if sorts else [f"{own.classes[name].f1:.3f}" for name in names]
        lines.append((row.name, *cells, *f1))
    columns = ("balanced accuracy",) if sorts else ("escape", "overkill", *(f"F1 {name}" for name in names))
    return StudyTable(("network", *columns), tuple(lines))
