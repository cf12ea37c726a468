"""Networks: one family per file, one line each here."""

from __future__ import annotations

from gonogo.models.architecture import Architecture
from gonogo.registry import Registry

ARCHITECTURES: Registry[Architecture] = Registry(
    "architecture",
    {
        "taper": "gonogo.models.tapering:TAPER",
        "taper-wide": "gonogo.models.tapering:TAPER_WIDE",
        "taper-fine": "gonogo.models.tapering:TAPER_FINE",
        "taper-study": "gonogo.models.tapering:TAPER_STUDY",
        "stump": "gonogo.models.stump:STUMP",
        "sheet-140k": "gonogo.models.sheet:SHEET_140K",
        "sheet-140k-dw": "gonogo.models.sheet:SHEET_140K_DW",
        "sheet-340k": "gonogo.models.sheet:SHEET_340K",
        "sheet-340k-dw": "gonogo.models.sheet:SHEET_340K_DW",
        "sheet-590k": "gonogo.models.sheet:SHEET_590K",
        "sheet-590k-dw": "gonogo.models.sheet:SHEET_590K_DW",
        "resnet20": "gonogo.models.resnet:RESNET20",
        "resnet56": "gonogo.models.resnet:RESNET56",
        "resnet20-v2": "gonogo.models.resnet:RESNET20_V2",
        "resnet47-v2": "gonogo.models.resnet:RESNET47_V2",
        "resnet65-v2": "gonogo.models.resnet:RESNET65_V2",
        "vit-study": "gonogo.models.vit:VIT_STUDY",
        "nasnet-mobile": "gonogo.models.nasnet:NASNET_MOBILE",
        "vgg16-bn": "gonogo.models.vgg:VGG16_BN",
        "densenet40": "gonogo.models.densenet:DENSENET40",
        "timm": "gonogo.models.timm:TIMM",
    },
)
