"""The deployed network: probabilities, and a map above zero where a defect is seen."""

from __future__ import annotations

import torch

from gonogo.data.geometry import Geometry
from gonogo.data.task import Task
from gonogo.models.architecture import make_spec
from gonogo.models.cost import count_macs
from gonogo.models.deployed import Deployed


def deployed(classes: tuple[str, ...], good: str | None, channels: int = 1) -> Deployed:
    torch.manual_seed(0)
    network = make_spec("taper", len(classes), 1, {}).build().eval()
    return Deployed(network, Geometry(64, 64, channels=channels), Task(classes, good)).eval()


PIXELS = torch.randint(0, 256, (3, 64, 64, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_probabilities_sum_to_one():
    probs, heat = deployed(("a", "b", "c"), None)(PIXELS)
    assert probs.shape == (3, 3)
    assert torch.allclose(probs.sum(1), torch.ones(3))
    assert heat.ndim == 3
    assert probs.dtype == heat.dtype == torch.float32


def test_the_map_is_the_best_defect_s_lead_over_good():
    network = deployed(("crack", "ok", "scratch"), "ok")
    maps = network.network.head.maps(network.network.body(network.preprocess(PIXELS)))
    expected = torch.maximum(maps[:, 0], maps[:, 2]) - maps[:, 1]
    assert torch.equal(network(PIXELS)[1], expected)


def test_the_map_of_sorting_follows_the_answer():
    network = deployed(("a", "b", "c"), None)
    probs, heat = network(PIXELS)
    maps = network.network.head.maps(network.network.body(network.preprocess(PIXELS)))
    evidence = sum(probs[:, k, None, None] * (maps[:, k] - maps.mean(1)) for k in range(3))
    expected = evidence - evidence.mean((1, 2), keepdim=True)
    assert torch.allclose(heat, expected, atol=1e-6)
    assert expected.abs().max() > 1e-5


def test_a_grey_photo_stored_as_colour_is_answered_like_the_grey_one():
    grey = deployed(("bad", "ok"), "ok")
    colour = deployed(("bad", "ok"), "ok", channels=3)
    assert torch.equal(grey(PIXELS)[0], colour(PIXELS.expand(-1, -1, -1, 3))[0])


def test_counting_leaves_the_network_as_it_was():
    network = make_spec("taper", 2, 1, {}).build().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert count_macs(network, 1, (64, 64)) == count_macs(network, 1, (64, 64)) > 0
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
