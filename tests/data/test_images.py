"""One decoder: every mode, every kind of damage, and never a silent change of grey levels."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gonogo.data.images import decode_photo, inspect_photo
from gonogo.errors import DataError
from tests.helpers import encoded, noise, picture, write_truncated

COLOUR = noise(30, 40, 3, seed=1)
GREY = noise(30, 40, 1, seed=2)


def deep_png(values: list[list[int]]) -> bytes:
    return encoded(Image.fromarray(np.array(values, dtype=np.uint16)), "PNG")


def test_grey_and_colour_come_back_as_they_are():
    assert np.array_equal(decode_photo(encoded(picture(COLOUR), "PNG"), channels=3), COLOUR)
    assert np.array_equal(decode_photo(encoded(picture(GREY), "PNG"), channels=1), GREY)


def test_a_grey_photo_is_repeated_for_colour():
    assert np.array_equal(decode_photo(encoded(picture(GREY), "PNG"), channels=3), np.repeat(GREY, 3, axis=2))


def test_transparency_is_dropped_and_not_laid_over_black():
    image = picture(COLOUR).convert("RGBA")
    image.putalpha(0)
    assert np.array_equal(decode_photo(encoded(image, "PNG"), channels=3), COLOUR)
    grey = picture(GREY).convert("LA")
    grey.putalpha(3)
    assert np.array_equal(decode_photo(encoded(grey, "PNG"), channels=1), GREY)


def test_a_palette_gives_its_colours():
    image = picture(COLOUR).quantize(16)
    expected = np.asarray(image.convert("RGB"))
    for options in ({}, {"transparency": 3}, {"transparency": bytes([0, 100, 255])}):
        assert np.array_equal(decode_photo(encoded(image, "PNG", **options), channels=3), expected)


def test_cmyk_gives_the_colours_that_pillow_sees():
    data = encoded(picture(COLOUR).convert("CMYK"), "JPEG", quality=95)
    found = decode_photo(data, channels=3).astype(int)
    assert np.abs(found - COLOUR).mean() < 40
    flat = np.zeros((16, 16, 3), dtype=np.uint8) + np.array([200, 40, 90], dtype=np.uint8)
    found = decode_photo(encoded(picture(flat).convert("CMYK"), "JPEG", quality=95), channels=3)
    assert np.abs(found.astype(int) - flat).max() <= 6


def test_one_bit_is_black_and_white():
    found = decode_photo(encoded(picture(GREY).convert("1"), "PNG"), channels=1)
    assert set(np.unique(found)) == {0, 255}


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_grey_jpeg_stored_as_colour_gives_the_levels_of_the_colour_decoder(quality: int):
    data = encoded(picture(GREY).convert("RGB"), "JPEG", quality=quality)
    colour = decode_photo(data, channels=3)
    assert np.array_equal(decode_photo(data, channels=1)[..., 0], colour[..., 0])


def test_the_camera_s_rotation_mark_is_obeyed():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(picture(COLOUR), "PNG", exif=exif)
    assert np.array_equal(decode_photo(data, channels=3), np.rot90(COLOUR, -1))
    facts = inspect_photo(data, "turned")
    assert (facts.width, facts.height) == (30, 40)


@pytest.mark.parametrize(
    ("bits", "values", "levels"),
    [
        (12, [0, 2047, 2048, 4095], [0, 127, 128, 255]),
        (16, [0, 128, 129, 65535], [0, 0, 1, 255]),
        (10, [0, 2, 511, 1023], [0, 0, 127, 255]),
    ],
)
def test_deep_values_are_scaled_by_the_bit_depth(bits: int, values: list[int], levels: list[int]):
    # level = value * 255 / (2**bits - 1), rounded half up
    assert decode_photo(deep_png([values]), channels=1, bit_depth=bits)[0, :, 0].tolist() == levels
    assert decode_photo(deep_png([values]), channels=3, bit_depth=bits).shape == (1, 4, 3)


def test_deep_values_are_never_clipped_and_the_option_is_named():
    with pytest.raises(DataError, match=r"deep: more than 8 bits a pixel \(largest value 4095\).*--bit-depth 12"):
        decode_photo(deep_png([[4095]]), channels=1, name="deep")
    with pytest.raises(DataError, match=r"largest value 4096 does not fit --bit-depth 12 \(0 to 4095\)"):
        decode_photo(deep_png([[4096]]), channels=1, bit_depth=12)


def png_of_16_bits(colour_type: int, channels: int) -> bytes:
    """Return a PNG of 16 bits a channel, which Pillow reads but does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + bytes(range(100, 100 + 8 * channels)) for _ in range(3))
    header = struct.pack(">IIBBBBB", 4, 3, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(name, data) for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bits_a_colour_are_refused_and_not_cut_to_8(colour_type: int, channels: int):
    for call in (inspect_photo, lambda data, name: decode_photo(data, channels=3, bit_depth=16, name=name)):
        with pytest.raises(DataError, match="deep: 16 bits a colour"):
            call(png_of_16_bits(colour_type, channels), "deep")


def test_the_hand_made_png_is_read_where_it_is_grey():
    # Big-endian pairs 100 101, 102 103, ...
    facts = inspect_photo(png_of_16_bits(0, 1), "grey")
    assert (facts.width, facts.height, facts.peak) == (4, 3, 106 * 256 + 107)


def test_bit_depth_leaves_8_bit_photos_alone():
    assert np.array_equal(decode_photo(encoded(picture(GREY), "PNG"), channels=1, bit_depth=12), GREY)


WHOLE = {name: encoded(picture(COLOUR), name) for name in ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF")}


@pytest.mark.parametrize("file_format", WHOLE)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_cut_file_of_any_format_is_refused_by_name(file_format: str, share: float):
    cut = WHOLE[file_format][: max(1, int(len(WHOLE[file_format]) * share))]
    for call in (lambda: inspect_photo(cut, "cut"), lambda: decode_photo(cut, channels=1, name="cut")):
        with pytest.raises(DataError) as caught:
            call()
        assert str(caught.value).startswith("cut: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "the file is empty"), (b"some text, no photo", "not an image file"), (b"\xff\xd8\xff", "not an image file")],
)
def test_what_is_no_photo_is_refused(data: bytes, words: str):
    with pytest.raises(DataError, match=words):
        inspect_photo(data, "x")


def test_files_are_named_with_their_path(tmp_path: Path):
    with pytest.raises(DataError, match=r"cut\.jpg: cut short or damaged"):
        decode_photo(write_truncated(tmp_path / "cut.jpg"), channels=1)
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read"):
        decode_photo(tmp_path / "gone.jpg", channels=1)


def test_a_picture_that_claims_to_be_gigantic_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match="claims more than 1,000 pixels"):
        inspect_photo(encoded(picture(COLOUR), "PNG"), "bomb")


@pytest.mark.parametrize("exif", [b"Exif\x00\x00garbage", b"Exif\x00\x00II*\x00\xff\xff\xff\xff"])
def test_a_damaged_camera_note_harms_nothing(exif: bytes):
    assert decode_photo(encoded(picture(COLOUR), "JPEG", exif=exif), channels=3).shape == COLOUR.shape


def test_what_is_grey_is_told_by_its_pixels():
    almost = np.repeat(GREY, 3, axis=2)
    as_colour = encoded(picture(almost), "PNG")
    almost = almost.copy()
    almost[29, 39, 2] ^= 1
    assert inspect_photo(encoded(picture(GREY), "PNG"), "").is_grey
    assert inspect_photo(as_colour, "").is_grey
    assert not inspect_photo(encoded(picture(almost), "PNG"), "").is_grey
    deep = inspect_photo(deep_png([[5, 999]]), "")
    assert (deep.is_grey, deep.peak, deep.width, deep.height) == (True, 999, 2, 1)
