"""NumPy, PyTorch, Pillow and the exported graph turn camera pixels into the very same numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gonogo.data.geometry import Geometry
from gonogo.models.deployed import Preprocess

sizes = st.integers(1, 33)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    height, width, reduce = draw(sizes), draw(sizes), draw(st.integers(1, 7))
    height, width = max(height, reduce), max(width, reduce)
    crop = None
    if draw(st.booleans()):
        crop_width, crop_height = draw(st.integers(reduce, width)), draw(st.integers(reduce, height))
        crop = (
            draw(st.integers(0, width - crop_width)),
            draw(st.integers(0, height - crop_height)),
            crop_width,
            crop_height,
        )
    colour = draw(st.sampled_from(["grey", "rgb"]))
    n = 3 if colour == "rgb" else 1
    levels = st.tuples(*[st.floats(0, 255, width=32)] * n)
    spreads = st.tuples(*[st.floats(0.5, 128, width=32)] * n)
    channels = draw(st.sampled_from([1, 3]))
    geometry = Geometry(height, width, channels, crop, reduce, colour, draw(levels), draw(spreads))
    if draw(st.booleans()):
        geometry = replace(geometry, size=tuple(draw(st.integers(side // 2 + 1, 40)) for side in geometry.reduced_size))
    return geometry


def photos(geometry: Geometry, seed: int, fill: int | None) -> np.ndarray:
    shape = (2, geometry.height, geometry.width, geometry.channels)
    if fill is not None:
        return np.full(shape, fill, dtype=np.uint8)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=300, deadline=None)
@given(geometries(), st.integers(0, 2**32 - 1), st.sampled_from([None, None, None, 0, 1, 254, 255]))
def test_numpy_and_torch_hold_the_same_bits(geometry: Geometry, seed: int, fill: int | None):
    pixels = photos(geometry, seed, fill)
    twin = Preprocess(geometry)
    reduced = geometry.apply(pixels)
    assert reduced.shape == (2, *geometry.input_size, geometry.stored_channels)
    with torch.no_grad():
        from_torch = twin.levels(torch.from_numpy(pixels)).permute(0, 2, 3, 1).numpy()
        inputs = twin(torch.from_numpy(pixels)).numpy()
    assert np.array_equal(from_torch, reduced.astype(np.float32))
    assert inputs.tobytes() == geometry.normalise(reduced).tobytes()


@settings(max_examples=200, deadline=None)
@given(sizes, sizes, st.integers(0, 2**32 - 1))
def test_grey_levels_are_pillow_s(height: int, width: int, seed: int):
    pixels = np.random.default_rng(seed).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    found = Geometry(height, width, channels=3).apply(pixels)[0, :, :, 0]
    assert np.array_equal(found, np.asarray(Image.fromarray(pixels[0]).convert("L")))


def test_grey_levels_are_pillow_s_for_every_green_and_blue():
    green, blue = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    for red in range(0, 256, 15):
        pixels = np.stack([np.full_like(green, red), green, blue], axis=2)
        geometry = Geometry(256, 256, channels=3)
        expected = np.asarray(Image.fromarray(pixels).convert("L"))
        assert np.array_equal(geometry.apply(pixels[None])[0, :, :, 0], expected)
        twin = Preprocess(geometry).reduce(torch.from_numpy(pixels[None]))[0, 0].numpy()
        assert np.array_equal(twin, expected.astype(np.float32))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 64), st.integers(0, 2**32 - 1))
def test_every_block_is_its_mean_rounded_half_up(reduce: int, seed: int):
    rng = np.random.default_rng(seed)
    # Totals around a half are where rounding differs.
    pixels = rng.integers(0, 256, (1, reduce, 3 * reduce, 1), dtype=np.uint8)
    pixels[0, :, reduce : 2 * reduce] = 7
    pixels[0, : reduce // 2, reduce : 2 * reduce] = 8
    geometry = Geometry(reduce, 3 * reduce, reduce=reduce)
    blocks = pixels[0, :, :, 0].reshape(reduce, 3, reduce).astype(object)
    expected = [[(2 * int(blocks[:, k].sum()) + reduce**2) // (2 * reduce**2) for k in range(3)]]
    assert geometry.apply(pixels)[0, :, :, 0].tolist() == expected
    twin = Preprocess(geometry).reduce(torch.from_numpy(pixels))[0, 0]
    assert twin.tolist() == expected


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_resized_levels_are_those_of_exact_fractions(source: int, target: int, seed: int):
    target = max(target, source // 2 + 1)
    row = np.random.default_rng(seed).integers(0, 256, source, dtype=np.uint8)
    found = Geometry(1, source, size=(1, target)).apply(row[None, None, :, None])[0, 0, :, 0]
    for index, level in enumerate(found.tolist()):
        place = Fraction((2 * index + 1) * source, 2 * target) - Fraction(1, 2)
        low = math.floor(place)
        share = Fraction(math.floor((place - low) * 256 + Fraction(1, 2)), 256)  # weights are whole 1/256
        left, right = (int(row[min(max(side, 0), source - 1)]) for side in (low, low + 1))
        assert level == math.floor(left * (1 - share) + right * share + Fraction(1, 2))


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(2, 60), st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_resizing_is_pytorch_s_bilinear_up_to_rounding(height: int, width: int, rows: int, columns: int, seed: int):
    size = (max(rows, height // 2 + 1), max(columns, width // 2 + 1))
    photo = np.random.default_rng(seed).integers(0, 256, (1, height, width, 1), dtype=np.uint8)
    found = Geometry(height, width, size=size).apply(photo)[0, :, :, 0].astype(np.float32)
    expected = torch.nn.functional.interpolate(torch.from_numpy(photo[None, :, :, :, 0]).float(), size, mode="bilinear")
    # Half a level of rounding, and 1/512 of the largest difference for the weights of each axis.
    assert np.abs(found - expected[0, 0].numpy()).max() <= 0.5 + 2 * 255 / 512 + 1e-3
    same = Geometry(height, width, size=(height, width)).apply(photo)
    assert np.array_equal(same, photo)


@settings(max_examples=100, deadline=None)
@given(geometries(), st.integers(0, 1000))
def test_photos_of_a_batch_do_not_touch_each_other(geometry: Geometry, seed: int):
    pixels = photos(geometry, seed, None)
    together = geometry.apply(pixels)
    alone = np.concatenate([geometry.apply(photo[None]) for photo in pixels])
    assert np.array_equal(together, alone)
    twice = geometry.apply(pixels)
    assert np.array_equal(together, twice)
    assert together.flags.c_contiguous
