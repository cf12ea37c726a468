"""Efficient networks on steel sheet: the study's six, what they were compared with, and what came after.

The study photographed ten classes (GC10-DET); any folder of classes will do. It tests on a tenth of the photos, drawn
one by one; beside that stands a division that keeps overlapping crops of one strip on one side.
"""

from __future__ import annotations

from functools import partial

from gonogo.studies.board import FIXED, Board, Entry
from gonogo.studies.contenders import Contender
from gonogo.studies.run_board import run_board

# What the study resized its photos to.
SMALL = {"size": (32, 32)}
LARGE = {"size": (224, 224)}
# Ours see the photos as they are, the stump at the size of its backbone's training at most.
WHOLE = {"reduce": 1}
LARGEST = "sheet-590k-dw"


def _custom(arch: str, published: str, *, quick: bool = False) -> Entry:
    return Entry(Contender(arch, arch, published=published, recipe=FIXED), SMALL, quick=quick)


def _changed(name: str, published: str, *surgery: str, **recipe: object) -> Entry:
    """Return the study's largest network with one of the techniques that it tried."""
    contender = Contender(f"{LARGEST}, {name}", LARGEST, published=published, recipe=FIXED | recipe, surgery=surgery)
    return Entry(contender, SMALL)


SHEET = Board(
    study="sheet",
    first=LARGEST,
    folds=5,
    test=0.1,
    mixed="first",  # the class that NEU-DET's file names give each photo
    entries=(
        _custom(LARGEST, "custom_590k_dw", quick=True),
        _changed("BlurPool", "blurpool", "blurpool"),
        _changed("SWA", "swa", averaging="swa"),
        _changed("squeeze-excite", "squeeze_excite", "squeeze-excite"),
        _changed("MixUp", "mixup", mixup_alpha=0.2),
        _changed(
            "BlurPool, SE, SWA", "blurpool_squeeze_excite_swa", "blurpool", "squeeze-excite", averaging="swa"
        ),
        _custom("sheet-590k", "custom_590k"),
        _custom("sheet-340k-dw", "custom_340k_dw"),
        _custom("sheet-340k", "custom_340k"),
        _custom("sheet-140k-dw", "custom_140k_dw"),
        _custom("sheet-140k", "custom_140k"),
        Entry(Contender("ResNet-20 v2", "resnet20-v2", published="resnet20", recipe=FIXED), SMALL, heavy=True),
        Entry(Contender("ResNet-47 v2", "resnet47-v2", published="resnet47", recipe=FIXED), SMALL, heavy=True),
        Entry(Contender("ResNet-65 v2", "resnet65-v2", published="resnet65", recipe=FIXED), SMALL, heavy=True),
        Entry(Contender("Vision Transformer", "vit-study", published="vit", recipe=FIXED), SMALL, heavy=True),
        Entry(
            Contender("MobileNetV2, frozen", "stump", {"cut": 18, "statistics": "avg"}, "mobilenet_v2"),
            LARGE, quick=True,
        ),
        Entry(
            Contender("Inception V3", "timm", {"backbone": "inception_v3"}, "inception_v3"),
            {"size": (299, 299)}, heavy=True,
        ),
        Entry(Contender("stump, cut 12", "stump", {"cut": 12}), WHOLE),
        Entry(Contender("stump, cut 7", "stump", {"cut": 7}), WHOLE, quick=True),
        Entry(Contender("taper, 6k", "taper", recipe={"epochs": 60}), WHOLE, quick=True),
        Entry(Contender("taper, 30k", "taper-wide", recipe={"epochs": 60}), WHOLE),
    ),
)  # fmt: skip

study = partial(run_board, SHEET)
