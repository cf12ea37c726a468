"""The six networks of the steel-sheet study: each as a line of text; see `gonogo.models.pattern`.

Source: the study of efficient networks for defects of steel sheet (GC10-DET, ten classes, 32x32 pixels). It publishes
.14, .34 and .59 M parameters, a network of dense and one of depthwise convolutions for each; ours are within 3 %, and
`docs/decisions.md` says how its text was read.
"""

from __future__ import annotations

from dataclasses import dataclass

from gonogo.errors import UsageError
from gonogo.models.architecture import Architecture, Network, PoolingHead
from gonogo.models.pattern import Order, last_width, pattern_body

PATTERNS = {
    "sheet-140k": "c16 c16 P c32 c32 P c64 c64/2 P c120",
    "sheet-140k-dw": "c16 c16 P d32 c32 P d64 c64@2 P d128 d192 d260",
    "sheet-340k": "c16 c32 P c64 c64 P c96 c96/2 P c160",
    "sheet-340k-dw": "c16 c32 P d64 c64 P d96 c96@2 P d128 d192 d210 d240 d280",
    "sheet-590k": "c16 c32 c32 P c64 c64 P c128 c128/2 P c256",
    "sheet-590k-dw": "c16 c32 d64 c64 P d96 c96@2 d128 d192 P d260 d320 P d370 d415",
}


@dataclass(frozen=True)
class SheetOptions:
    """Shape of a network of the study.

    Attributes:
        pattern: the body's convolutions and poolings.
        order: the study has BatchNorm after the ReLU, which does not fold into the convolution.
        dropout: after each pooling; the study has .02 to .07.
        norm_momentum: share of each batch in BatchNorm's running statistics; Keras' default.
        norm_eps: added to BatchNorm's variance; Keras' default.
    """

    pattern: str = PATTERNS["sheet-590k-dw"]
    order: Order = "conv-relu-bn"
    dropout: float = 0.05
    norm_momentum: float = 0.01
    norm_eps: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise UsageError(f"found dropout={self.dropout}, expected 0 to below 1")


class Sheet(Network):
    """A network of the study; see `SheetOptions`."""

    def __init__(self, num_classes: int, in_channels: int, options: SheetOptions) -> None:
        super().__init__()
        self.body = pattern_body(
            options.pattern,
            in_channels,
            order=options.order,
            dropout=options.dropout,
            norm_momentum=options.norm_momentum,
            norm_eps=options.norm_eps,
        )
        width = last_width(options.pattern)
        self.head = PoolingHead(width, num_classes, pool="avg", hidden=0, dropout=0.0, one_logit=False)


# Adam at 1e-3 with steps down, up to 200 epochs, early stopping. Every augmentation that the study tried alone
# lowered its accuracy, so there is none.
RECIPE = {
    "optimizer": "adam",
    "lr": 1e-3,
    "weight_decay": 0.0,
    "schedule": "plateau",
    "epochs": 200,
    "label_smoothing": 0.0,
    "hflip": False,
    "vflip": False,
    "rotate_degrees": 0.0,
    "scale_percent": 0.0,
    "shift_percent": 0.0,
    "brightness_levels": 0.0,
    "contrast_percent": 0.0,
}


def _sheet(name: str) -> Architecture:
    return Architecture(Sheet, SheetOptions(PATTERNS[name]), recipe=RECIPE, source="GC10-DET study", size=(32, 32))


SHEET_140K, SHEET_140K_DW = _sheet("sheet-140k"), _sheet("sheet-140k-dw")
SHEET_340K, SHEET_340K_DW = _sheet("sheet-340k"), _sheet("sheet-340k-dw")
SHEET_590K, SHEET_590K_DW = _sheet("sheet-590k"), _sheet("sheet-590k-dw")
