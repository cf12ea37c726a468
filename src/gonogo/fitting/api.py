"""``gonogo.fit``: the whole flow as one call from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gonogo.errors import UsageError, did_you_mean
from gonogo.evaluate.options import Number, parse_confidence, parse_rate
from gonogo.evaluate.policies import DEFAULT_CONFIDENCE
from gonogo.fitting.fit import Fitted
from gonogo.fitting.fit import fit as run_fit
from gonogo.fitting.request import MINUTES, FitRequest
from gonogo.search.budgets import Budgets
from gonogo.train.prepare import DataOptions
from gonogo.train.transfer import WeightsSource


def budgets_from(
    *,
    max_escape: Number | None = None,
    confidence: Number | None = None,
    max_overkill: Number | None = None,
    max_latency_ms: float | None = None,
    max_size_kb: float | None = None,
) -> Budgets:
    """Read budgets as a person writes them.

    Args:
        max_escape: defective parts called go, at most: a number, or text such as "1%".
        confidence: of that guarantee, such as "95%".
        max_overkill: good photos called no-go, at most.
        max_latency_ms: from camera pixels to verdict.
        max_size_kb: of the model file, in 1,000 bytes.

    Raises:
        UsageError: one of them cannot be read or kept by anything, or says nothing without another.
    """
    if confidence is not None and max_escape is None:
        raise UsageError("--confidence says nothing without --max-escape; give that too, or leave it out")
    return Budgets(
        None if max_escape is None else parse_rate(max_escape),
        DEFAULT_CONFIDENCE if confidence is None else parse_confidence(confidence),
        None if max_overkill is None else parse_rate(max_overkill, "--max-overkill"),
        max_latency_ms,
        max_size_kb,
    )


def fit(
    photos: str | Path,
    *,
    out: str | Path = "fit",
    minutes: float = MINUTES,
    trials: int | None = None,
    weights: str | Path | None = None,
    seed: int = 0,
    resume: bool = False,
    force: bool = False,
    beside: Sequence[str | Path] = (),
    say: Callable[[str], None] = print,
    max_escape: Number | None = None,
    confidence: Number | None = None,
    max_overkill: Number | None = None,
    max_latency_ms: float | None = None,
    max_size_kb: float | None = None,
    **data: Any,
) -> Fitted:
    """Turn a folder of photos into the smallest gauge within the budgets, and a page that proves it.

    >>> found = gonogo.fit("photos", max_escape="2%", minutes=15)  # doctest: +SKIP
    >>> found.met, found.gauge.inspect("new.png").verdict  # doctest: +SKIP
    (True, 'go')

    Args:
        photos: a folder of photos or a manifest file.
        out: the folder to work in; holds the gauge, the page and all that was tried.
        minutes: for everything.
        trials: networks to try; as many as the time allows unless given.
        weights: a file of pretrained weights, or "hub" to fetch the published ones; without, no stumps are tried.
        seed: of every random choice.
        resume: go on where a fit in the folder stopped.
        force: replace the folder.
        beside: folders of earlier fits that the page compares with.
        say: called with each line worth reading.
        max_escape: as of `budgets_from`.
        confidence: as of `budgets_from`.
        max_overkill: as of `budgets_from`.
        max_latency_ms: as of `budgets_from`.
        max_size_kb: as of `budgets_from`.
        data: what is said about the photos: fields of `DataOptions`, such as ``good="ok"`` or ``group_by="8"``. A photo
            with boxes of several classes is of that of the first, unless ``mixed`` gives another rule.

    Returns:
        What came out; `met` says whether every budget is kept, `gauge` answers for new photos.

    Raises:
        GonogoError: the photos or what was asked cannot be used; one line says what was expected.
    """
    fields = DataOptions.__dataclass_fields__
    for name in data:
        if name not in fields:
            raise UsageError(f"unknown option '{name}'; {did_you_mean(name, fields)}")
    source: WeightsSource = "hub" if weights == "hub" else None if weights is None else Path(weights)
    budgets = budgets_from(
        max_escape=max_escape,
        confidence=confidence,
        max_overkill=max_overkill,
        max_latency_ms=max_latency_ms,
        max_size_kb=max_size_kb,
    )
    request = FitRequest(
        Path(photos),
        Path(out),
        budgets,
        minutes,
        trials,
        source,
        DataOptions(**{"mixed": "first", **data}),
        seed=seed,
        resume=resume,
        force=force,
        beside=tuple(map(Path, beside)),
    )
    return run_fit(request, say=say)
