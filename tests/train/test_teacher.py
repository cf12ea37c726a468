"""Learning from a teacher: what a listening network says in training, and how it is held against its teacher."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gonogo.errors import UsageError
from gonogo.models.architecture import make_spec
from gonogo.models.pruned import Pruning, apply
from gonogo.train.teacher import Listening, Teaching, divergence, missed, taught_loss


def test_maps_are_held_against_the_teachers_at_the_end_of_each_size():
    theirs = [torch.tensor([0.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4) for _ in range(3)]
    theirs += [torch.tensor([1.0, 3.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)]
    ours = [values.clone() for values in theirs]
    ours[0] += 100.0  # others of the same size follow
    ours[2][0] += 1.0
    ours[3][1] += 2.0
    # Variances (N - 1): 16 of 0 and 16 of 2 have 32 / 31, 4 and 4 have 8 / 7.
    expected = [(1 / (32 / 31) + 0) / 2, (0 + 4 / (8 / 7)) / 2]
    assert missed(ours, theirs).tolist() == pytest.approx(expected, rel=1e-4)


def test_maps_of_other_channels_say_nothing():
    theirs = [torch.ones(2, 4, 3, 3), torch.randn(2, 8, 2, 2)]
    assert missed([torch.zeros(2, 3, 3, 3), torch.zeros(2, 7, 2, 2)], theirs).tolist() == [0, 0]
    # A map that is the same everywhere does not divide by 0.
    assert torch.isfinite(missed([torch.zeros(2, 4, 3, 3), theirs[1]], theirs)).all()


def test_a_listening_network_says_its_own_its_teachers_and_what_its_maps_miss():
    torch.manual_seed(0)
    teacher = make_spec("resnet20", 3, 3, {}).build().eval()
    pupil, photos = copy.deepcopy(teacher), torch.randn(4, 3, 8, 8)
    apply(pupil, Pruning(("body.2",), {}))
    with torch.no_grad():
        told = teacher(photos)
        plain = Listening(pupil, teacher).train()(photos)
        listening = Listening(pupil, teacher, maps=True)
        # As in evaluation, its statistics are those of its teacher.
        for layer in pupil.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
        heard = listening(photos)
        answers = pupil(photos)
    assert plain.shape == (4, 6)
    assert torch.allclose(plain[:, 3:], told)
    assert torch.allclose(heard[:, :6], torch.cat([answers, told], 1), atol=1e-5)
    assert (heard[:, 6] > 0).all()
    with torch.no_grad():
        same = Listening(teacher, teacher, maps=True)
        same.training = True
        assert torch.allclose(same(photos)[:, 6], torch.zeros(4), atol=1e-6)
        assert listening.eval()(photos).shape == (4, 3)


@pytest.mark.parametrize("maps", [False, True])
def test_the_pupil_learns_and_its_teacher_does_not(maps: bool):
    torch.manual_seed(0)
    teacher = make_spec("resnet20", 3, 3, {}).build().eval()
    pupil = make_spec("resnet20", 3, 3, {}).build()
    Listening(pupil, teacher, maps).train()(torch.randn(4, 3, 8, 8)).sum().backward()
    assert all(weight.grad is not None for weight in pupil.parameters() if weight.requires_grad)
    assert all(weight.grad is None for weight in teacher.parameters())


def test_the_loss_of_maps_stands_beside_the_others():
    outputs, labels = torch.tensor([[2.0, 0.0, 1.0, 1.0, 0.3], [0.0, 1.0, 3.0, 0.0, 0.1]]), torch.tensor([0, 1])
    logits, told = outputs[:, :2], outputs[:, 2:4]
    expected = 0.25 * F.cross_entropy(logits, labels) + 0.75 * divergence(logits, told, 2.0) + 5 * 0.2
    assert float(taught_loss(F.cross_entropy, Teaching(2.0, 0.75, 5.0))(outputs, labels)) == pytest.approx(
        float(expected)
    )


def test_a_weight_of_maps_out_of_range_is_refused():
    with pytest.raises(UsageError, match="found --maps -1, expected 0 to 1000"):
        Teaching(maps=-1.0)
