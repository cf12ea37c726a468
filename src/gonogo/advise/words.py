"""The advice in plain words: a headline, and a recipe file that says why."""

from __future__ import annotations

from collections.abc import Sequence

from gonogo.advise.changes import Change, spoken
from gonogo.advise.helps import MAXIMUM, PLAIN, RECIPE, Helped
from gonogo.advise.two_by_two import Cell
from gonogo.advise.verdict import Advice, recipe_values
from gonogo.config import toml_text
from gonogo.evaluate.comparison import Comparison
from gonogo.evaluate.held_out import AUC
from gonogo.types import Rate


def listed(words: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def headline(advice: Sequence[Advice], ranking: Comparison) -> str:
    """Say what to use, what to refuse, and what that was worth on parts never seen."""
    use = [f"{own.name}{own.verdict.removeprefix('use')}" for own in advice if own.answer == "use"]
    refused = [own.name for own in advice if own.answer == "refuse"]
    said = [f"Use {listed(use)}." if use else "Use no augmentation: nothing speaks for any."]
    if refused:
        said.append(f"Refuse {listed(refused)}.")
    return " ".join([*said, worth(ranking)])


def worth(ranking: Comparison) -> str:
    """Say how the advice did beside none and beside all at maximum."""
    value = {row.name: row.figures[AUC].value or 0.0 for row in ranking.standings}
    said = {RECIPE: "trained by this", PLAIN.name: "with none", MAXIMUM: "with all at maximum"}
    figures = ", ".join(f"{text} {value[name]:.3f}" for name, text in said.items() if name in value)
    if ranking.best is None:
        tied = listed([said[name] for name in said if name in ranking.tied])
        more = f"; these parts and trainings are too few to tell {tied} apart for certain"
    else:
        more = f"; {said[ranking.best]} is best for certain"
    return f"ROC AUC on parts never seen: {figures}{more}."


def recipe_text(advice: Sequence[Advice]) -> str:
    """Return the recipe file of `gonogo train --recipe`, every line with its reason."""
    values = recipe_values(advice)
    lines = ["# Augmentations that gonogo advise measured on these photos."]
    for own in advice:
        lines += [f"# {own.name}: {own.verdict}: {own.because}", toml_text({own.key: values[own.key]}).strip()]
    return "\n".join(lines) + "\n"


def difference(helped: Helped | None) -> str:
    """Return what training with an augmentation was worth, as text."""
    if helped is None:
        return "-"
    own = helped.difference
    return f"{own.value:+.3f} ({own.low:+.3f}, {own.high:+.3f})"


def interval(rate: Rate) -> str:
    """Return the ends of a rate's interval, and what it rests on."""
    return f"({rate.low:.3f} to {rate.high:.3f}, {rate.n} {rate.unit})"


def value_of(change: Change) -> str:
    """Return a change's strength as text."""
    return "mirrored" if isinstance(change.value, bool) else f"up to {spoken(change.value, change.unit)}"


def two_by_two_rows(cells: Sequence[Cell]) -> list[tuple[str, str, str]]:
    """Return the study's table, a row for each split and way to train."""
    rows: dict[str, list[str]] = {}
    for cell in cells:
        rate = cell.accuracy
        assert rate.value is not None and rate.low is not None and rate.high is not None
        text = f"{100 * rate.value:.1f} % ({100 * rate.low:.1f}, {100 * rate.high:.1f})"
        rows.setdefault(f"{cell.split}, {cell.trained}", []).append(text)
    return [(name, *texts) for name, texts in rows.items()]  # type: ignore[misc]
