"""What a network family must offer, and how one is built from a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from gonogo.config import from_dict, to_dict
from gonogo.data.geometry import Colour
from gonogo.errors import UsageError
from gonogo.models.layers.blurpool import BlurPool


class Network(nn.Module):
    """A network that classifies and shows where.

    Subclasses set `body` (features) and `head` (pooling and classification), and `fixed_size` where the body takes
    photos of one height and width only.
    """

    body: nn.Module
    head: Head
    fixed_size: tuple[int, int] | None = None
    # Of a body in stages, the one whose output tells the unknown. Later stages of a network that learnt from these
    # photos alone have learnt to overlook what the first one still sees, such as a lens out of focus.
    watched: ClassVar[int] = 0

    def forward(self, inputs: Tensor) -> Tensor:
        """Classify.

        Args:
            inputs: (N, C, h, w) float32, normalised.

        Returns:
            (N, K) logits.
        """
        logits: Tensor = self.head(self.body(inputs))
        return logits

    def watch(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of the stage that is watched, and those of the whole body."""
        if not isinstance(self.body, nn.Sequential):
            features = self.body(inputs)
            return features, features
        values, seen = inputs, None
        for index, layer in enumerate(self.body):
            values = layer(values)
            if index == self.watched % len(self.body):
                seen = values
        assert seen is not None
        return seen, values

    def map_grid(self) -> tuple[float, float]:
        """Return the input pixels between neighbouring cells of the map, and the pixel the first cell looks at.

        Reckoned from the convolutions and poolings of the body in their order, so for a body whose branches, where it
        has some, are one that computes and one that only passes on: the additions of a residual block. Where the second
        one has layers as well, it is called "shortcut" and left out.
        """
        stride, first = 1.0, 0.0
        for layer in _main_way(self.body):
            # A BlurPool keeps the first pixel where it is.
            if isinstance(layer, BlurPool):
                stride *= layer.stride
            elif isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
                step = _one(layer.stride)
                reach = (_one(layer.kernel_size) - 1) * _one(getattr(layer, "dilation", 1)) / 2
                # "same" pads as much as keeps the middle where it is.
                padding = reach if layer.padding == "same" else _one(layer.padding)
                first += (reach - padding) * stride
                stride *= step
        return stride, first


def _main_way(module: nn.Module) -> Iterator[nn.Module]:
    """Walk through a module's layers in their order, without those of shortcuts."""
    yield module
    for name, child in module.named_children():
        if name != "shortcut":
            yield from _main_way(child)


def _one(value: Any) -> int:
    """Return the size of a layer that is square, as PyTorch gives it: a number or a pair."""
    return int(value[0] if isinstance(value, tuple) else value)


class Head(nn.Module):
    """Pools a body's features over the photo and classifies; says what each place has to do with it."""

    def forward(self, features: Tensor) -> Tensor:
        """Turn (N, C, h, w) features into (N, K) logits."""
        raise NotImplementedError

    def maps(self, features: Tensor) -> Tensor:
        """Turn (N, C, h, w) features into (N, K, h, w) logits of each place."""
        raise NotImplementedError


class PoolingHead(Head):
    """Global pooling, an optional hidden layer, and a linear classifier.

    Args:
        channels: of the features.
        num_classes: K.
        pool: "avg", "max", or "avgmax" for both side by side.
        hidden: width of a hidden layer with ReLU, 0 for none.
        dropout: share of pooled features dropped in training.
        one_logit: for two classes, learn one logit (a sigmoid's) instead of two; the first class's is then 0.
    """

    def __init__(
        self, channels: int, num_classes: int, *, pool: str, hidden: int, dropout: float, one_logit: bool
    ) -> None:
        super().__init__()
        if one_logit and num_classes != 2:
            raise UsageError(f"one logit serves two classes, found {num_classes}; set one_logit=false")
        self.num_classes = num_classes
        self.pool, self.one_logit = pool, one_logit
        pooled = channels * (2 if pool == "avgmax" else 1)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(pooled, hidden) if hidden else None
        self.classifier = nn.Linear(hidden or pooled, 1 if one_logit else num_classes)

    @property
    def pooled_width(self) -> int:
        """P, the length of what is pooled over a photo."""
        return (self.hidden or self.classifier).in_features

    @property
    def channels(self) -> int:
        """Of the features."""
        return self.pooled_width // (2 if self.pool == "avgmax" else 1)

    def forward(self, features: Tensor) -> Tensor:
        """Pool (N, C, h, w) features and classify: (N, K) logits."""
        return self.classify(self.pooled(features))

    def pooled(self, features: Tensor) -> Tensor:
        """Pool (N, C, h, w) features over the photo: (N, P), what `classify` takes."""
        pooled = []
        if self.pool in ("avg", "avgmax"):
            pooled.append(features.mean((2, 3)))
        if self.pool in ("max", "avgmax"):
            pooled.append(self._highest(features))
        return torch.cat(pooled, 1) if len(pooled) > 1 else pooled[0]

    def _highest(self, features: Tensor) -> Tensor:
        """Return (N, C) the maxima; in training by the layer that remembers their places, three times as fast.

        Where a maximum is reached at several places, the first one learns, not each a share.
        """
        if self.training:
            return functional.adaptive_max_pool2d(features, 1).flatten(1)
        return features.amax((2, 3))

    def maps(self, features: Tensor) -> Tensor:
        """Answer for each place: (N, K, h, w) logits.

        With average or maximum pooling, as if the whole photo looked like that place; average pooling without a hidden
        layer makes this the class activation map of Zhou et al. 2016. With both, the place stands in for the maximum
        and the photo keeps its own average: a place in the average's stead would cancel what the two weigh against
        each other, and a small defect would not show.
        """
        if self.hidden is None and not self.one_logit:
            return self._linear_maps(features)
        places = features.permute(0, 2, 3, 1)
        if self.pool == "avgmax":
            average = features.mean((2, 3))[:, None, None].expand_as(places)
            places = torch.cat([average, places], -1)
        return self.classify(places).permute(0, 3, 1, 2)

    def _linear_maps(self, features: Tensor) -> Tensor:
        """Return the same without a hidden layer: a convolution, which a runtime does in fewer and quicker steps."""
        weight, bias = self.classifier.weight, self.classifier.bias
        if self.pool != "avgmax":
            return functional.conv2d(features, weight[:, :, None, None], bias)
        of_average, of_place = weight[:, : self.channels], weight[:, self.channels :]
        average = features.mean((2, 3)) @ of_average.T + bias
        return functional.conv2d(features, of_place[:, :, None, None]) + average[:, :, None, None]

    def classify(self, values: Tensor) -> Tensor:
        """Turn (..., P) pooled features into (..., K) logits."""
        values = self.dropout(values)
        if self.hidden is not None:
            values = torch.relu(self.hidden(values))
        logits: Tensor = self.classifier(values)
        return torch.cat([torch.zeros_like(logits), logits], -1) if self.one_logit else logits


@dataclass(frozen=True)
class Levels:
    """What a pretrained network expects of its input: (grey level - mean) / std, for red, green and blue."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class Pretraining:
    """What makes an architecture one that stands on weights learnt elsewhere, or may start from them.

    Attributes:
        what: whose weights, for messages.
        levels: from its options to the grey levels that the weights were learnt on.
        load: put a weights file's tensors, by name, into a network built with these options.
        fetch: the published weights from their hub, asked only when the user asks; None where no hub has them.
        known: beginnings of the SHA-256 of published files, and the options that such a file demands.
        required: random weights are refused; where they are not, a network that is given weights learns on from them.
    """

    what: str
    levels: Callable[[Any], Levels]
    load: Callable[[Network, Any, Mapping[str, Tensor]], None]
    fetch: Callable[[Any], Mapping[str, Tensor]] | None = None
    known: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: bool = True


@dataclass(frozen=True)
class Architecture:
    """An entry of the registry.

    Attributes:
        build: (num_classes, in_channels, options) to network.
        defaults: the options, a frozen dataclass of widths and the like.
        colour: what it was made for; None to take the photos as they are.
        recipe: training values it was published with, over the default recipe.
        source: the paper or origin.
        pretraining: set where training starts, or may start, from weights learnt elsewhere.
        variants: options worth showing beside one another where architectures are listed.
        size: height and width of the photos it was made for, which lists count it at.
    """

    build: Callable[[int, int, Any], Network]
    defaults: Any
    colour: Colour | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    source: str = "gonogo"
    pretraining: Pretraining | None = None
    variants: tuple[Mapping[str, Any], ...] = ({},)
    size: tuple[int, int] = (300, 300)

    @property
    def needs_weights(self) -> bool:
        """Whether it stands on weights learnt elsewhere, so that random ones are refused."""
        return self.pretraining is not None and self.pretraining.required

    def options(self, changes: Mapping[str, Any]) -> Any:
        """Return the defaults with changes; text is read as each option's type.

        Raises:
            ConfigError: an unknown option, or a value of another type.
        """
        if not changes:
            return self.defaults
        # With this architecture's own values around them: another number of stages has other kernels as well.
        changed = from_dict(type(self.defaults), {**to_dict(self.defaults), **changes}, where="architecture")
        return replace(self.defaults, **{name: getattr(changed, name) for name in changes})


@dataclass(frozen=True)
class ModelSpec:
    """Everything needed to build a network again: what ``model.json`` holds.

    Attributes:
        arch: a name from the registry.
        num_classes: K.
        in_channels: C.
        options: of the architecture, all of them.
        surgery: names of what was done to it afterwards, in this order.
    """

    arch: str
    num_classes: int
    in_channels: int
    options: dict[str, Any]
    surgery: tuple[str, ...] = ()

    def build(self) -> Network:
        """Build the network with fresh weights.

        Raises:
            UsageError: unknown architecture, or a surgery that changes nothing.
            ConfigError: unknown or wrong options.
        """
        from gonogo.models import ARCHITECTURES
        from gonogo.models.surgery import operate

        architecture = ARCHITECTURES.get(self.arch)
        network = architecture.build(self.num_classes, self.in_channels, architecture.options(self.options))
        operate(network, self.surgery, self.arch)
        return network


def make_spec(
    arch: str, num_classes: int, in_channels: int, changes: Mapping[str, Any], surgery: tuple[str, ...] = ()
) -> ModelSpec:
    """Resolve an architecture's name and the options that differ from its defaults."""
    from gonogo.models import ARCHITECTURES

    return ModelSpec(arch, num_classes, in_channels, to_dict(ARCHITECTURES.get(arch).options(changes)), surgery)


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """Return how many numbers are trained, and how many are statistics (BatchNorm's running mean and variance)."""
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    statistics = sum(b.numel() for b in network.buffers() if b.is_floating_point())
    return trainable, statistics


def count_frozen(network: nn.Module) -> int:
    """Return how many parameters keep the values they came with."""
    return sum(p.numel() for p in network.parameters() if not p.requires_grad)
