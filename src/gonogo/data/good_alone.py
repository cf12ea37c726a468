"""Photos of good parts alone, of a line that has made no defect yet: which class they are, what all others become."""

from __future__ import annotations

from dataclasses import replace

from gonogo.data.manifest import Manifest
from gonogo.data.split import linked_groups
from gonogo.data.task import reads_as_good
from gonogo.errors import DataError, UsageError, did_you_mean

# What every class but the good one is to a gauge that knows good parts alone.
DEFECT = "defect"
# From fewer parts nobody can tell what is usual among them.
LEAST_PARTS = 10


def good_alone(manifest: Manifest, good: str | None = None, *, resplit: bool = False) -> str | None:
    """Return the good class where all photos that may be learnt from are of it; None where there are defects too.

    A test set may hold defects: nothing is learnt from it.

    Args:
        manifest: the photos, with the splits that they came with.
        good: name of the good class, where it was given.
        resplit: the splits are to be made anew, so that any photo may be learnt from.

    Raises:
        UsageError: there is one class in all, and nothing says that it is good.
    """
    learnt = {sample.label for sample in manifest.samples if resplit or sample.split != "test"}
    if len(learnt) != 1:
        return None
    (name,) = learnt
    if name == good or (good is None and reads_as_good(name)):
        if name == DEFECT:
            raise UsageError(f"the good class is called '{DEFECT}', which all others are to be; rename its folder")
        return name
    if len(manifest.classes) > 1:
        return None
    if good not in (None, "none"):
        raise UsageError(f"--good '{good}' is not a class; {did_you_mean(str(good), manifest.classes)}")
    raise UsageError(
        f"only one class, '{name}', and "
        + ("--good none sorts into several" if good else "its name does not say that it is good")
        + f"; expected photos of at least two classes, or of good parts alone: then say so with --good {name}"
    )


def check_parts(manifest: Manifest) -> None:
    """See that there are good parts enough to tell what is usual among them.

    Args:
        manifest: the photos, those of one part joined.

    Raises:
        DataError: there are fewer than `LEAST_PARTS` outside the test set.
    """
    learnt = manifest.keep(sample.split != "test" for sample in manifest.samples)
    parts = len(set(linked_groups(learnt)))
    if parts < LEAST_PARTS:
        photos = f"{len(learnt)} good {'photo shows' if len(learnt) == 1 else 'photos show'}"
        raise DataError(
            f"{photos} {parts} different {'part' if parts == 1 else 'parts'}, expected {LEAST_PARTS} at least to tell "
            "what is usual among good parts; photograph more"
        )


def against_good(manifest: Manifest, found: str, good: str) -> Manifest:
    """Return the photos in two classes: the good one, and `DEFECT` for every other.

    Args:
        manifest: the photos.
        found: what the good class is called among them; "none" where all of them are defects.
        good: what it is to be called.
    """
    samples = tuple(replace(s, label=good if s.label == found else DEFECT) for s in manifest.samples)
    return replace(manifest, samples=samples, classes=(good, DEFECT))


def name_good(classes: tuple[str, ...], good: str, given: str | None = None) -> str:
    """Return which of the classes of other photos is the good one; "none" where it was said that none is.

    Args:
        classes: of the photos.
        good: what the gauge calls it.
        given: what the user calls it.

    Raises:
        UsageError: the name given does not exist, or the names leave it open and nothing was given.
    """
    if given is not None:
        if given not in (*classes, "none"):
            raise UsageError(f"--good '{given}' is not a class of these photos; {did_you_mean(given, classes)}")
        return given
    if good in classes:
        return good
    found = [name for name in classes if reads_as_good(name)]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"{len(found)} of the classes {', '.join(classes[:10])} read as good, and none is called '{good}'; say which "
        "one is with --good NAME, or --good none where all are defects"
    )
