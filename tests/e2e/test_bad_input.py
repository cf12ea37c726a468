"""Whatever is wrong with the photos, the gauge or the output: one line, exit 2, and nothing half-written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gonogo.gauge.facts import digest
from tests.helpers import (
    encoded,
    gonogo,
    gonogo_json,
    in_process,
    noise,
    one_error_line,
    picture,
    tree,
    write_deep,
    write_photos,
    write_plates,
    write_truncated,
)


def _missing(folder: Path) -> None:
    pass


def _empty(folder: Path) -> None:
    folder.mkdir()


def _no_classes(folder: Path) -> None:
    write_photos(folder, {".": 3})


def _empty_class(folder: Path) -> None:
    write_photos(folder, {"ok": 6, "defect": 0})


def _one_class(folder: Path) -> None:
    write_photos(folder, {"ok": 6})


def _truncated(folder: Path) -> None:
    write_plates(folder, 8)
    write_truncated(folder / "ok" / "cut.jpg")


def _text(folder: Path) -> None:
    write_plates(folder, 8)
    (folder / "ok" / "text.jpg").write_text("this is no photo\n")


def _zero_bytes(folder: Path) -> None:
    write_plates(folder, 8)
    (folder / "ok" / "empty.jpg").touch()


def _three_broken(folder: Path) -> None:
    _truncated(folder)
    _text(folder)
    _zero_bytes(folder)


def _deep(folder: Path) -> None:
    write_plates(folder, 8)
    write_deep(folder / "ok" / "deep.png", 64, 4095)


def _two_sizes(folder: Path) -> None:
    write_photos(folder, {"ok": 6, "defect": 6}, size=(20, 24))
    picture(noise(30, 24)).save(folder / "ok" / "taller.png")


def _unknown_split(folder: Path) -> None:
    write_photos(folder, {"ok": 2, "defect": 2})
    (folder / "manifest.csv").write_text("path,label,split\nok/000.png,ok,trian\n")


def _listed_and_gone(folder: Path) -> None:
    write_photos(folder, {"ok": 2, "defect": 2})
    (folder / "manifest.csv").write_text("path,label\nok/000.png,ok\nok/gone.png,ok\ndefect/000.png,defect\n")


BAD_PHOTOS = [
    (_missing, ["no such file or folder", "photos"]),
    (_empty, ["no data set found", "sub-folder of photos for each class"]),
    (_no_classes, ["3 photos but no class folders"]),
    (_empty_class, ["defect: a class folder with no photos"]),
    (_one_class, ["only one class, 'ok'"]),
    (_truncated, ["1 unreadable photo of 17", "ok/cut.jpg: cut short or damaged", "--skip-unreadable"]),
    (_text, ["1 unreadable photo of 17", "ok/text.jpg: not an image", "--skip-unreadable"]),
    (_zero_bytes, ["1 unreadable photo of 17", "ok/empty.jpg: the file is empty", "--skip-unreadable"]),
    (_three_broken, ["3 unreadable photos of 19", "ok/cut.jpg", "ok/text.jpg", "ok/empty.jpg"]),
    (_deep, ["1 photo", "more than 8 bits", "ok/deep.png", "4095", "--bit-depth 12"]),
    (_two_sizes, ["2 sizes", "12 of 24x20", "1 of 24x30", "--crop 24x20+0+0"]),
    (_unknown_split, ["line 2", "split 'trian'", "train, val, test"]),
    (_listed_and_gone, ["1 unreadable photo of 3", "ok/gone.png"]),
]


@pytest.mark.parametrize(("spoil", "words"), BAD_PHOTOS, ids=lambda value: getattr(value, "__name__", ""))
def test_training_refuses_bad_photos_in_one_line(spoil: Callable[[Path], None], words: list[str], tmp_path: Path):
    spoil(tmp_path / "photos")
    before = tree(tmp_path)
    line = one_error_line(in_process("train", tmp_path / "photos", "--out", tmp_path / "below" / "run", "--json"))
    assert [word for word in words if word not in line] == []
    assert tree(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir() if p.name != "photos"] == [], "an empty folder is left behind"


def test_training_in_a_process_of_its_own_says_one_line_too(tmp_path: Path):
    _three_broken(tmp_path / "photos")
    line = one_error_line(gonogo("train", tmp_path / "photos", "--out", tmp_path / "run"))
    assert "3 unreadable photos of 19" in line
    assert not (tmp_path / "run").exists()


def test_unreadable_photos_are_left_out_when_asked_and_named(tmp_path: Path):
    _three_broken(tmp_path / "photos")
    done = gonogo(
        "train",
        tmp_path / "photos",
        *("--out", tmp_path / "run", "--epochs", 3, "--batch-size", 4, "--skip-unreadable", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert "went on without 3 unreadable photos: ok/cut.jpg, ok/empty.jpg, ok/text.jpg" in done.stderr
    table = (tmp_path / "run" / "manifest.csv").read_text()
    assert len(table.splitlines()) == 1 + 16
    assert "cut.jpg" not in table


def test_deep_photos_train_with_their_bit_depth_and_are_never_clipped(tmp_path: Path):
    photos = write_plates(tmp_path / "photos", 8)
    for number in range(8):
        for label, peak in (("ok", 4095), ("defect", 900)):
            write_deep(photos / label / f"deep{number}.png", 64, peak, seed=number)
    command = ("train", photos, "--out", tmp_path / "run", "--epochs", 8, "--batch-size", 4, "--json")
    line = one_error_line(in_process(*command, "--bit-depth", 11))
    assert "4095" in line
    assert "--bit-depth 11" in line
    done = in_process(*command, "--bit-depth", 12)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["refused"] is None


def test_photos_of_every_mode_simply_work(gauge_folder: Path, tmp_path: Path):
    image = picture(noise(64, 64, 3, seed=5))
    alpha = image.convert("RGBA")
    alpha.putalpha(100)
    variants = {
        "rgb.png": encoded(image, "PNG"),
        "rgba.png": encoded(alpha, "PNG"),
        "palette.png": encoded(image.quantize(32), "PNG"),
        "palette_transparent.png": encoded(image.quantize(32), "PNG", transparency=bytes([0, 100, 255])),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "grey.jpg": encoded(image.convert("L"), "JPEG"),
        "grey_alpha.png": encoded(image.convert("LA"), "PNG"),
        "one_bit.png": encoded(image.convert("1"), "PNG"),
        "odd_exif.jpg": encoded(image, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff"),
    }
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, data in variants.items():
        (folder / name).write_bytes(data)
    done = gonogo("predict", gauge_folder, folder, "--json")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    rows = {Path(row["path"]).name: row for row in json.loads(done.stdout)}
    assert set(rows) == set(variants)
    # Transparency is dropped, so what lies under it is judged.
    assert rows["rgba.png"]["prob"] == rows["rgb.png"]["prob"]


BAD_FOR_GAUGE = [
    (lambda path: path, ["no such photo or folder"]),
    (write_truncated, ["cut short or damaged"]),
    (lambda path: path.write_text("no photo"), ["not an image"]),
    (lambda path: path.touch(), ["the file is empty"]),
    (lambda path: path.write_bytes(encoded(picture(noise(10, 12)), "PNG")), ["12x10 pixels, expected 64x64"]),
]


@pytest.mark.parametrize(("write", "words"), BAD_FOR_GAUGE, ids=["missing", "truncated", "text", "empty", "size"])
def test_predict_refuses_a_bad_photo_in_one_line(write, words: list[str], gauge_folder: Path, tmp_path: Path):
    write(tmp_path / "photo.jpg")
    line = one_error_line(gonogo("predict", gauge_folder, tmp_path / "photo.jpg", "--json"))
    assert [word for word in [*words, "photo.jpg"] if word not in line] == []


def test_predict_refuses_deep_photos_with_the_option_to_give(gauge_folder: Path, tmp_path: Path):
    line = one_error_line(gonogo("predict", gauge_folder, write_deep(tmp_path / "deep.png", 64, 1000)))
    assert "deep.png" in line
    assert "more than 8 bits" in line
    assert "--bit-depth" in line


def test_predict_counts_what_it_cannot_judge_and_goes_on_when_asked(gauge_folder: Path, plates: Path, tmp_path: Path):
    folder = tmp_path / "photos"
    shutil.copytree(plates / "ok", folder)
    write_truncated(folder / "cut.jpg")
    (folder / "empty.png").touch()
    line = one_error_line(gonogo("predict", gauge_folder, folder))
    assert "2 of 32 photos cannot be judged" in line
    rows = gonogo_json("predict", gauge_folder, folder, "--skip-unreadable")
    assert len(rows) == 30


def _edit_json(path: Path, change: Callable[[dict], None], sign: bool = False) -> None:
    values = json.loads(path.read_text())
    change(values)
    if sign:
        values["digest"] = digest({key: value for key, value in values.items() if key != "digest"})
    path.write_text(json.dumps(values, indent=2) + "\n")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _lower_threshold(path: Path, sign: bool = False) -> None:
    _edit_json(path, lambda values: values["decision"].update(threshold=0.01), sign)


SPOILT_GAUGES = {
    "gauge.json cut": ("gauge.json", _cut),
    "gauge.json altered": ("gauge.json", _flip),
    "gauge.json missing": ("gauge.json", Path.unlink),
    "gauge.json a list": ("gauge.json", lambda path: path.write_text("[1, 2]\n")),
    "gauge.json empty": ("gauge.json", lambda path: path.write_text("")),
    "gauge.json not text": ("gauge.json", lambda path: path.write_bytes(b"\xff\xfe\x00")),
    "threshold edited": ("gauge.json", _lower_threshold),
    "good class edited": ("gauge.json", lambda p: _edit_json(p, lambda v: v["decision"].update(good="defect"))),
    "model.onnx cut": ("model.onnx", _cut),
    "model.onnx altered": ("model.onnx", _flip),
    "model.onnx missing": ("model.onnx", Path.unlink),
    "golden.npz cut": ("golden.npz", _cut),
    "golden.npz altered": ("golden.npz", _flip),
    "golden.npz missing": ("golden.npz", Path.unlink),
}


@pytest.mark.parametrize("name", SPOILT_GAUGES)
def test_a_cut_or_altered_gauge_is_refused_by_every_command(
    name: str, gauge_folder: Path, plates: Path, tmp_path: Path
):
    gauge = shutil.copytree(gauge_folder, tmp_path / "gauge")
    file, spoil = SPOILT_GAUGES[name]
    spoil(gauge / file)
    photo = next((plates / "ok").iterdir())
    for command in (("verify", gauge), ("predict", gauge, photo), ("bench", gauge, "--repeats", 1)):
        line = one_error_line(gonogo(*command, "--json"))
        assert file in line
        assert "export" in line or "copy" in line


def test_a_threshold_edited_and_signed_anew_contradicts_the_model_file(
    gauge_folder: Path, plates: Path, tmp_path: Path
):
    gauge = shutil.copytree(gauge_folder, tmp_path / "gauge")
    _lower_threshold(gauge / "gauge.json", sign=True)
    for command in (("verify", gauge), ("predict", gauge, next((plates / "ok").iterdir()))):
        assert "carries other facts than gauge.json" in one_error_line(gonogo(*command))


def test_what_is_no_gauge_is_refused(plates: Path, tmp_path: Path):
    (tmp_path / "text.onnx").write_text("not a model")
    photo = next((plates / "ok").iterdir())
    assert "is not a gauge" in one_error_line(gonogo("predict", plates, photo))
    assert "is not a gauge" in one_error_line(gonogo("verify", tmp_path / "nothing"))
    assert "text.onnx is not a model" in one_error_line(gonogo("predict", tmp_path / "text.onnx", photo))
    assert "neither a run" in one_error_line(gonogo("eval", plates))


def _commands(run_folder: Path, gauge_folder: Path, plates: Path) -> dict[str, tuple[object, ...]]:
    return {
        "synth": ("synth", "OUT", "--parts", 2, "--size", 64),
        "train": ("train", plates, "--epochs", 1, "--out", "OUT"),
        "eval": ("eval", run_folder, "--out", "OUT"),
        "export": ("export", run_folder, "--out", "OUT"),
        "quantize": ("quantize", run_folder, "--out", "OUT"),
        "predict": ("predict", gauge_folder, plates / "ok" / "00.png", "--json", "--save", "OUT"),
    }


@pytest.mark.parametrize("name", ["synth", "train", "eval", "export", "quantize", "predict"])
@pytest.mark.parametrize("place", ["below a file", "far below a file", "/proc"])
def test_an_output_that_cannot_be_written_is_refused(
    name: str, place: str, run_folder: Path, gauge_folder: Path, plates: Path, tmp_path: Path
):
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    out = {"below a file": blocker / "out", "far below a file": blocker / "a" / "out", "/proc": Path("/proc/out")}[
        place
    ]
    command = _commands(run_folder, gauge_folder, plates)[name]
    line = one_error_line(in_process(*(out if word == "OUT" else word for word in command)))
    # The folder of a picture is looked at before the photos are judged, so it is the folder that is named.
    assert f"cannot write {out.parent if name == 'predict' else out}: " in line
    assert tree(tmp_path) == {"file": b"in the way"}


@pytest.mark.parametrize("name", ["synth", "train", "eval", "export", "quantize"])
def test_what_is_there_is_kept_unless_forced_and_never_a_foreign_folder(
    name: str, run_folder: Path, gauge_folder: Path, plates: Path, tmp_path: Path
):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    command = [out if word == "OUT" else word for word in _commands(run_folder, gauge_folder, plates)[name]]
    for force in ((), ("--force",)):
        line = one_error_line(in_process(*command, *force))
        assert str(out) in line
        assert tree(tmp_path) == {"mine/thesis.txt": b"years of work"}


def test_a_user_s_own_temporary_file_is_kept_too(plates: Path, tmp_path: Path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "notes.tmp").write_text("years of work")
    one_error_line(in_process("train", plates, "--epochs", 1, "--out", out))
    assert tree(tmp_path) == {"mine/notes.tmp": b"years of work"}


def test_an_evaluation_never_replaces_the_run_it_is_of(run_folder: Path, tmp_path: Path):
    run = shutil.copytree(run_folder, tmp_path / "run")
    before = tree(run)
    one_error_line(in_process("eval", run, "--out", run, "--force"))
    assert tree(run) == before


MISSPELT = [
    (("trian", "x"), "did you mean 'train'?"),
    (("train", "PHOTOS", "--arch", "tapper"), "did you mean 'taper'?"),
    (("train", "PHOTOS", "--with", "width=3"), "did you mean 'widths'?"),
    (("train", "PHOTOS", "--with", "pool=agv"), "did you mean 'avg'?"),
    (("train", "PHOTOS", "--set", "epoch=3"), "did you mean 'epochs'?"),
    (("train", "PHOTOS", "--set", "schedule=one-cylce"), "did you mean 'one-cycle'?"),
    (("train", "PHOTOS", "--good", "okk"), "did you mean 'ok'?"),
    (("train", "PHOTOS", "--colour", "gray"), "did you mean 'grey'?"),
    (("train", "PHOTOS", "--device", "cudda"), "did you mean 'cuda'?"),
    (("train", "PHOTOS", "--epoch", "3"), "--epochs"),
    (("eval", "RUN", "--split", "tets"), "did you mean 'test'?"),
    (("export", "RUN", "--format", "onx"), "did you mean 'onnx'?"),
    (("quantize", "RUN", "--format", "onx-int8"), "did you mean 'onnx-int8'?"),
    (("synth", "OUT", "--kinds", "scrach"), "did you mean 'scratch'?"),
]


@pytest.mark.parametrize(("arguments", "hint"), MISSPELT, ids=lambda value: value[-1] if len(value) < 5 else "")
def test_misspelt_names_get_a_suggestion(
    arguments: tuple[str, ...], hint: str, plates: Path, run_folder: Path, tmp_path: Path
):
    places = {"PHOTOS": str(plates), "RUN": str(run_folder), "OUT": str(tmp_path / "out")}
    line = one_error_line(in_process(*(places.get(word, word) for word in arguments), cwd=tmp_path))
    assert hint.lower() in line.lower()
    assert list(tmp_path.iterdir()) == []


WRONG_VALUES = [
    (("--reduce", 0), "--reduce 0"),
    (("--reduce", 65), "--reduce 65"),
    (("--crop", "10x10+60+0"), "does not lie inside the 64x64 photo"),
    (("--crop", "ten"), "expected WIDTHxHEIGHT+X+Y"),
    (("--val", 1.5), "val 1.5"),
    (("--epochs", 0), "epochs=0 keeps a network as its weights file has it"),
    (("--lr", "nan"), "lr is nan"),
    (("--seed", -1), "seed is -1"),
    (("--set", "lr"), "expected KEY=VALUE"),
    (("--with", "widths=8,8"), "kernels has 4 values, expected 2"),
    (("--arch", "taper-study", "--reduce", 8), "too few for architecture 'taper-study'"),
    (("--recipe", "gone.toml"), "gone.toml"),
    (("--bit-depth", 99), "bit"),
    (("--resume",), "no run to resume"),
]


@pytest.mark.parametrize(
    ("options", "words"), WRONG_VALUES, ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else ""
)
def test_wrong_values_are_refused_before_anything_is_written(
    options: tuple[object, ...], words: str, plates: Path, tmp_path: Path
):
    assert words in one_error_line(in_process("train", plates, "--out", tmp_path / "run", *options, cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []
