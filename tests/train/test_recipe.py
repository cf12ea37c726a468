"""Recipes: layers over layers, and ranges."""

from __future__ import annotations

import pytest

from gonogo.errors import ConfigError
from gonogo.train.recipe import Recipe, resolve_recipe


def test_later_layers_win_and_silence_keeps_the_default():
    recipe = resolve_recipe({"epochs": 20, "lr": 0.1}, {"epochs": "5"})
    assert (recipe.epochs, recipe.lr, recipe.batch_size) == (5, 0.1, Recipe().batch_size)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": -1}, "epochs is -1, expected 0 or more"),
        ({"batch_size": 1}, "batch_size is 1, expected 2 or more"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"lr": "inf"}, "lr is inf"),
        ({"rotate_degrees": 181}, "rotate_degrees is 181.0, expected 0 to 180"),
        ({"scale_percent": 95}, "scale_percent"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"optimizer": "sgdm"}, "did you mean 'sgd'"),
        ({"warmup_epochs": 3}, "one-cycle warms up by itself"),
        ({"warmup_epochs": 30, "schedule": "cosine"}, "expected fewer than the 30 epochs"),
        ({"progressive_resize": 0.05}, "progressive_resize is 0.05, expected 0.1 to 1"),
        ({"averaging": "swe"}, "did you mean 'swa'"),
        ({"mixup": 0.2}, "did you mean 'mixup_alpha'"),
        ({"hflip": "sometimes"}, "expected bool"),
        ({"rotate": 3}, "did you mean 'rotate_degrees'"),
    ],
)
def test_wrong_values_are_named(values: dict[str, object], words: str):
    with pytest.raises(ConfigError) as caught:
        resolve_recipe(values)
    assert words in str(caught.value)
