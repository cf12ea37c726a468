"""Tapering networks on castings, beside those that the study compared them with and those that came after.

Source: "Development of a lightweight tapering network for casting inspection", ICCR 2021, arXiv 2205.07118.
"""

from __future__ import annotations

from functools import partial

from gonogo.studies.board import FIXED, Board, Entry
from gonogo.studies.contenders import Contender
from gonogo.studies.run_board import run_board

# The study's augmentation: 4 degrees, zoom .2, both flips; its shear of .2 is in degrees in the library it used.
AUGMENTED = {
    "hflip": True,
    "vflip": True,
    "rotate_degrees": 4.0,
    "scale_percent": 20.0,
    "shear_degrees": 0.2,
}
# A third of 300x300 in each direction: what the study spent 95 M multiply-adds on takes 10 M.
THIRD = {"reduce": 3}
STUMP = {"size": (112,)}
BACKBONE = {"size": (224,)}

CASTING = Board(
    study="casting",
    first="tapering network",
    folds=4,
    test=0.1,
    augmented=AUGMENTED,
    entries=(
        Entry(
            Contender("tapering network", "taper-study", published="taper", recipe=FIXED),
            THIRD, {"reduce": 1}, quick=True,
        ),
        Entry(
            Contender("tapering network, augmented", "taper-study", published="taper_augmented",
                      recipe=FIXED | AUGMENTED),
            THIRD, {"reduce": 1},
        ),
        Entry(Contender("ResNet50", "timm", {"backbone": "resnet50"}, "resnet50"), {"reduce": 1}, heavy=True),
        Entry(Contender("NASNetMobile", "nasnet-mobile", {}, "nasnet_mobile"), BACKBONE, BACKBONE, heavy=True),
        Entry(
            Contender("MobileNetV2, frozen", "stump", {"cut": 18, "statistics": "avg"}, "mobilenet_v2"),
            BACKBONE, BACKBONE,
        ),
        Entry(
            Contender("EfficientNetB2", "timm", {"backbone": "efficientnet_b2"}, "efficientnet_b2"),
            {"reduce": 1}, heavy=True,
        ),
        Entry(Contender("stump, cut 12", "stump", {"cut": 12}), STUMP, STUMP),
        Entry(Contender("stump, cut 7", "stump", {"cut": 7}), STUMP, STUMP, quick=True),
        Entry(Contender("taper, 6k", "taper", recipe={"epochs": 30}), THIRD, THIRD, quick=True),
        Entry(Contender("taper, 30k", "taper-wide", recipe={"epochs": 30}), THIRD, THIRD),
    ),
)  # fmt: skip

study = partial(run_board, CASTING)
