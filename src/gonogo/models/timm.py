"""Any backbone that timm knows, frozen or with its last stages learning, and a linear head on its pooled features.

Source: Wightman, "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models, Apache-2.0. Its networks
come from many papers; each set of weights has a licence of its own.
"""

from __future__ import annotations

import difflib
import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gonogo.errors import DataError, MissingExtraError, UsageError
from gonogo.models.architecture import Architecture, Levels, Network, Pretraining
from gonogo.models.cost import dry_run
from gonogo.models.pretrained import FINE_TUNING, LEVELS, PretrainedNetwork, make_head
from gonogo.models.weights import match_weights

# What torchvision calls its classifiers; timm says of each backbone what it calls its own.
CLASSIFIERS = ("classifier.", "fc.", "heads.")
# torchvision's names of a vision transformer's parts, and timm's; the tensors are the same.
TORCHVISION_VIT = (
    (r"^class_token$", "cls_token"),
    (r"^encoder\.pos_embedding$", "pos_embed"),
    (r"^conv_proj\.", "patch_embed.proj."),
    (r"^encoder\.ln\.", "norm."),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.", r"blocks.\1."),
    (r"\.ln_(\d)\.", r".norm\1."),
    (r"\.self_attention\.in_proj_", ".attn.qkv."),
    (r"\.self_attention\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.(0|linear_1)\.", ".mlp.fc1."),
    (r"\.mlp\.(3|linear_2)\.", ".mlp.fc2."),
)
# Operators that torchvision describes when it is imported, whether or not its compiled part could be loaded.
TORCHVISION_OPERATORS = ("nms", "qnms")


def import_timm() -> ModuleType:
    """Import timm, and torchvision, which it needs, also where that was built for another PyTorch.

    torchvision's wheels are built against PyTorch for CUDA; beside one for the CPU its compiled part does not load, and
    its import stops at operators that nobody declared. timm uses none of them, so they are declared in its stead.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        try:
            import torchvision  # noqa: F401
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise
            _declare_operators()
        import timm
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "timm") from error
    return timm


def _declare_operators() -> None:
    """Declare what torchvision's compiled part would have, and forget the import that failed."""
    for name in TORCHVISION_OPERATORS:
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


@dataclass(frozen=True)
class TimmOptions:
    """Which backbone, and what stands on it.

    Attributes:
        backbone: as timm calls it, perhaps with the tag of its weights, such as vit_base_patch16_224.dino.
        statistics: of each channel over the photo, some of avg, max and std.
        levels: what the weights expect of the pixels: "published" for what timm knows of this backbone's, "half" for
            x / 127.5 - 1, "imagenet" for torchvision's files.
        unfrozen: how many of the last stages learn; the others keep the weights they came with.
        axes: directions of the distance from good parts that have a variance of their own, where there is no defect to
            learn from; found on the photos. 0 for a linear head.
    """

    backbone: str = "efficientnet_b0"
    statistics: tuple[Literal["avg", "max", "std"], ...] = ("avg",)
    levels: Literal["published", "half", "imagenet"] = "published"
    unfrozen: int = 0
    axes: int = 0


class Grid(nn.Module):
    """A backbone without its classifier, whose features stand on a grid whatever it is made of.

    Args:
        model: of timm, made without pooling and classifier.
        stride: input pixels between neighbouring features.
    """

    def __init__(self, model: Any, stride: int) -> None:
        super().__init__()
        self.model, self.stride = model, stride

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (N, 3, h, w) into (N, C, h', w').

        Of a transformer, these are its patches' tokens after the last norm; tokens that stand for no place (the class
        token) are left out.
        """
        features: Tensor = self.model(inputs)
        if features.ndim == 4:
            return features.permute(0, 3, 1, 2) if getattr(self.model, "output_fmt", "") == "NHWC" else features
        places = features[:, getattr(self.model, "num_prefix_tokens", 0) :].transpose(1, 2)
        height, width = inputs.shape[2] // self.stride, inputs.shape[3] // self.stride
        return places.reshape(places.shape[0], places.shape[1], height, width)


class Timm(PretrainedNetwork):
    """A backbone of timm; see `TimmOptions`."""

    body: Grid

    def __init__(self, num_classes: int, in_channels: int, options: TimmOptions) -> None:
        super().__init__()
        if in_channels != 3:
            raise UsageError(
                "a backbone of timm sees colour; leave --colour out: a grey camera's channel is then repeated"
            )
        model = create(options.backbone)
        self.body = Grid(model, model.feature_info[-1]["reduction"])
        self.unfreeze(options.unfrozen)
        self.head = make_head(self._channels(options.backbone), num_classes, options.statistics, options.axes)
        if model.pretrained_cfg["fixed_input_size"]:
            self.fixed_size = tuple(model.pretrained_cfg["input_size"][1:])

    def _channels(self, backbone: str) -> int:
        """Return how many channels the features have, and see that they stand on a grid."""
        try:
            features = dry_run(self.body, (1, *self.body.model.pretrained_cfg["input_size"]))
        except (RuntimeError, TypeError) as error:
            raise UsageError(f"backbone '{backbone}' has no grid of features to pool; give another one") from error
        return int(features.shape[1])

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the stages as timm groups them for fine-tuning; none where it does not."""
        from timm.models import group_parameters

        model = self.body.model
        if not hasattr(model, "group_matcher"):
            return []
        named = dict(model.named_parameters())
        groups: dict[int, list[str]] = group_parameters(model, model.group_matcher(coarse=True))
        return [[named[name] for name in groups[number]] for number in sorted(groups)]

    def map_grid(self) -> tuple[float, float]:
        """Return the input pixels between neighbouring cells of the map, and the pixel the first cell looks at.

        The stride is timm's: walking through the layers counts the convolution of a shortcut twice. Where the walk ends
        outside the first cell (paddings that depend on the photo), its middle is taken.
        """
        stride, (_, first) = float(self.body.stride), super().map_grid()
        return stride, first if 0 <= first < stride else (stride - 1) / 2


def create(backbone: str, **options: Any) -> Any:
    """Make a backbone of fresh weights without classifier and pooling.

    Args:
        backbone: as timm calls it.
        options: for `timm.create_model`.

    Raises:
        UsageError: timm knows no such backbone, or it has no grid of features.
        MissingExtraError: timm is not installed.
    """
    timm = import_timm()
    name, _, tag = backbone.partition(".")
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "timm.list_models() in Python names them all"
        raise UsageError(f"timm knows no backbone '{name}'; {hint}")
    if tag and backbone not in timm.list_pretrained(f"{name}.*"):
        known = ", ".join(found.partition(".")[2] for found in timm.list_pretrained(f"{name}.*"))
        raise UsageError(f"timm knows no weights '{tag}' of {name}; there are: {known}")
    try:
        model = timm.create_model(backbone, num_classes=0, global_pool="", **options)
    except AssertionError as error:
        raise UsageError(f"backbone '{name}' cannot do without its own pooling ({error}); give another one") from error
    if not getattr(model, "feature_info", None):
        raise UsageError(f"timm does not say where the features of backbone '{name}' stand; give another one")
    return model


def levels(options: TimmOptions) -> Levels:
    """Return the grey levels that the weights were learnt on."""
    if options.levels != "published":
        return LEVELS[options.levels]
    with torch.device("meta"):
        config = create(options.backbone).pretrained_cfg
    mean, std = (tuple(255 * value for value in config[name]) for name in ("mean", "std"))
    return Levels(mean, std)


def load_backbone(network: Network, options: TimmOptions, weights: Mapping[str, Tensor]) -> None:
    """Put weights into a backbone.

    Args:
        network: of these options.
        options: its options.
        weights: a state dict with timm's names, or torchvision's of the same network.

    Raises:
        UsageError: weights of another network.
    """
    assert isinstance(network, Timm)
    model = network.body.model
    own = model.pretrained_cfg["classifier"]
    classifier = tuple(f"{name}." for name in ((own,) if isinstance(own, str) else own or ()))
    expected = model.state_dict()
    if "class_token" in weights:
        weights = {_timm_name(name): tensor for name, tensor in weights.items()}
    fitting = match_weights(expected, weights, options.backbone, classifier=(*classifier, *CLASSIFIERS))
    for name, tensor in fitting.items():
        expected[name].copy_(tensor)


def _timm_name(name: str) -> str:
    """Return what timm calls a part of a vision transformer that torchvision calls `name`."""
    for pattern, replacement in TORCHVISION_VIT:
        name = re.sub(pattern, replacement, name)
    return name


def fetch_weights(options: TimmOptions) -> Mapping[str, Tensor]:
    """Download the weights that timm names for this backbone into the hub's own cache.

    Raises:
        UsageError: timm names none, or the options expect other grey levels than they do.
        DataError: the hub cannot be reached.
    """
    if options.levels != "published":
        raise UsageError("the hub's weights expect the levels that timm publishes; leave --with levels out")
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        state: Mapping[str, Tensor] = create(options.backbone, pretrained=True).state_dict()
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"cannot fetch the weights of {options.backbone} ({str(error).splitlines()[0]}); fetch them elsewhere and "
            "give --weights FILE"
        ) from error
    return state


TIMM = Architecture(
    Timm,
    TimmOptions(),
    colour="rgb",
    recipe=FINE_TUNING,
    source="timm (PyTorch Image Models)",
    pretraining=Pretraining(
        what="the backbone's, such as efficientnet_b0's",
        levels=levels,
        load=load_backbone,
        fetch=fetch_weights,
    ),
    variants=({"backbone": "efficientnet_b0"}, {"backbone": "vit_base_patch16_224"}),
)
