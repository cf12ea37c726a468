"""Learning with rounding in mind: the rounding by hand, what the network is afterwards, what rounding then moves."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gonogo.compress.prune.patient import open_patient
from gonogo.compress.quantize.aware import AwareRequest, RoundedConv2d, RoundedLinear, learn_rounded, rounding
from gonogo.errors import BarNotMetError
from gonogo.models.architecture import Network, make_spec
from gonogo.train.run import Run
from tests.helpers import in_process, one_error_line, tree


class Plain(Network):
    """A convolution and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False))
        with torch.no_grad():
            self.body[0].weight.copy_(torch.tensor([1.27, -0.254])[:, None, None, None])
        self.head = nn.Identity()


def test_inputs_have_256_levels_and_weights_255():
    network, photos = Plain().eval(), torch.tensor([-1.0, 0.0, 0.012, 4.1])[None, None, None]
    with rounding(network, photos) as layers:
        assert layers == 1
        assert type(network.body[0]) is RoundedConv2d
        # The range is -1 to 4.1: 0.02 a level, of which 0 has the 50th. What lies beyond is cut off.
        found = network.body(torch.tensor([-1.5, 0.0, 0.011, 0.009, 4.1, 9.0])[None, None, None])
    inputs = torch.tensor([-1.0, 0.0, 0.02, 0.0, 4.1, 4.1])
    assert torch.allclose(found[0, 0, 0], 1.27 * inputs, atol=1e-6)
    # 127 levels to each side of a channel's own largest weight: each of these is that.
    assert torch.allclose(found[0, 1, 0], -0.254 * inputs, atol=1e-6)
    assert type(network.body[0]) is nn.Conv2d
    assert not hasattr(network.body[0], "scale")


def test_a_weight_between_two_levels_goes_to_the_nearer_and_learns_as_if_it_had_not():
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.27, 0.0149]]))
    network = Plain()
    network.body = nn.Sequential(layer)
    photos = torch.tensor([[0.0, 2.55]])
    with rounding(network.eval(), photos):
        assert type(network.body[0]) is RoundedLinear
        found: Tensor = network.body(torch.tensor([[1.0, 1.0]]))
        found.sum().backward()
    assert found.item() == pytest.approx(1.27 + 0.01, abs=1e-6)
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[1.0, 1.0]]


def test_names_copies_and_answers_are_those_of_the_network():
    network = make_spec("taper", 2, 1, {}).build().eval()
    before, photos = copy.deepcopy(network), torch.randn(4, 1, 64, 64)
    with rounding(network, photos):
        assert list(network.state_dict()) == list(before.state_dict())
        with torch.no_grad():
            rounded = network(photos)
            again = copy.deepcopy(network)(photos)
    assert torch.equal(rounded, again)
    with torch.no_grad():
        assert not torch.equal(rounded, before(photos))
        assert torch.equal(network(photos), before(photos))
        assert float((rounded - before(photos)).abs().max()) < 0.1


def moved_by_rounding(network: Network, photos: Tensor) -> float:
    """Return how far rounding moves the log-odds, over how far photos are apart in them."""
    with torch.no_grad():
        exact = network(photos).diff(dim=1)
        with rounding(network, photos):
            rounded = network(photos).diff(dim=1)
    return float((rounded - exact).std() / exact.std())


def test_a_run_learns_and_is_nearer_to_what_it_says_when_rounded(run_folder: Path, tmp_path: Path):
    files = tree(run_folder)
    run = learn_rounded(AwareRequest(run_folder, tmp_path / "aware", 2, max_drop=50))
    assert tree(run_folder) == files
    assert run.is_finished
    assert run.metrics["aware"]["layers"] == 4
    assert run.metrics["aware"]["drop"]["value"] <= 50
    made = json.loads((run.path / "metrics.json").read_text())
    assert made["arch"] == Run.open(run_folder).metrics["arch"]
    assert sorted(path.name for path in run.path.iterdir()) == sorted(path.name for path in run_folder.iterdir())
    old, new = Run.open(run_folder).load_network(), run.load_network()
    assert list(old.state_dict()) == list(new.state_dict())
    photos = open_patient(run_folder, None, 0).evidence.photos
    assert moved_by_rounding(new, photos) < moved_by_rounding(old, photos)


def test_what_lost_too_much_is_not_written(run_folder: Path, tmp_path: Path):
    with pytest.raises(BarNotMetError, match=r"were lost on validation while it learnt .* nothing was written"):
        learn_rounded(AwareRequest(run_folder, tmp_path / "aware", 1, max_drop=-101))
    assert list(tmp_path.iterdir()) == []


def test_the_command_learns_first_and_quantizes_what_came_of_it(run_folder: Path, tmp_path: Path):
    words = ("quantize", run_folder, "--out", tmp_path / "gauge", "--aware", 1, "--max-drop", 100, "--repeats", 10)
    done = in_process(*words, "--json")
    assert done.returncode in (0, 1), done.stderr  # whether eight bits are faster is this machine's affair
    found = json.loads(done.stdout)
    assert Run.open(tmp_path / "gauge-run").metrics["aware"]["layers"] == 4
    assert Path(found["run"]) == tmp_path / "gauge-run"
    rows = {row["name"]: row for row in found["rows"]}
    assert set(rows) == {"onnx", "onnx-int8"}
    assert rows["onnx-int8"]["noise"]["log_odds"] < 0.01
    # The run is there now, and is not overwritten unasked.
    files = tree(tmp_path / "gauge-run")
    assert str(tmp_path / "gauge") in one_error_line(in_process(*words))
    assert tree(tmp_path / "gauge-run") == files
