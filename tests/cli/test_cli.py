"""The command line itself: exit codes, one line for an error, one document on stdout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gonogo import __version__
from gonogo.cli.console import percent
from gonogo.cli.options import key_values
from gonogo.errors import UsageError
from gonogo.gauge.gauge import Gauge, write_manifest
from gonogo.gauge.golden import Golden
from tests.helpers import command, gonogo, gonogo_json, in_process, interruptible, one_error_line, write_alike

COMMANDS = ("demo", "synth", "split", "train", "eval", "quantize", "export", "verify", "predict", "bench", "models")


def test_the_version_and_the_help_are_printed():
    assert gonogo("--version").stdout.strip() == __version__
    for arguments in (("--help",), ("-h",), ()):
        done = in_process(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert all(f" {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_offers_json(name: str):
    done = in_process(name, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout


def test_wrong_use_is_one_line():
    assert "missing argument" in one_error_line(in_process("train"))
    assert "no such option" in one_error_line(in_process("train", "x", "--lern-rate", "3"))
    assert "'--epochs': Input should be a valid integer" in one_error_line(in_process("train", "x", "--epochs", "many"))
    assert "'--repeats': Input should be greater than or equal to 1" in one_error_line(
        in_process("bench", "x", "--repeats", "0")
    )


def test_a_traceback_only_with_debug(tmp_path: Path):
    assert "Traceback" not in gonogo("verify", tmp_path).stderr
    for arguments in (("--debug", "verify", tmp_path), ("verify", tmp_path, "--debug")):
        done = gonogo(*arguments)
        assert "Traceback" in done.stderr
        assert "GaugeError" in done.stderr


def test_a_reader_that_leaves_early_is_no_crash(gauge_folder: Path, plates: Path):
    words = [*command(), "predict", str(gauge_folder), *[str(plates)] * 8, "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors


def test_an_interrupt_is_one_line_and_130(tmp_path: Path):
    words = [*command(), "synth", str(tmp_path / "out"), "--parts", "2000", "--size", "300", "--json"]
    process = subprocess.Popen(interruptible(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not any(tmp_path.glob(".out*/photos/*/*.jpg")):
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert errors.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_verify_on_a_device_that_answers_otherwise_is_exit_1(gauge_folder: Path, tmp_path: Path):
    folder = shutil.copytree(gauge_folder, tmp_path / "gauge")
    golden, gauge = Golden.load(folder / "golden.npz"), Gauge.load(folder)
    changed = golden.answer._replace(pred_probs=golden.answer.pred_probs + np.float32(0.01))
    Golden(golden.pixels, changed).save(folder / "golden.npz")
    write_manifest(folder, gauge.facts, gauge.files)
    done = in_process("verify", folder, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["files"][0]["max_abs_diff"] == pytest.approx(0.01, abs=1e-4)
    assert done.stderr.splitlines()[-1].startswith("error: model.onnx does not answer here as it did")


def test_a_training_that_learns_nothing_is_exit_1_and_says_so_now_and_when_resumed(tmp_path: Path):
    data = write_alike(tmp_path / "photos", 10)
    arguments = ("train", data, "--out", tmp_path / "run", "--epochs", 1, "--crop", "32x32+1+1")
    for extra in ((), ("--resume",)):
        done = in_process(*arguments, "--no-find-copies", "--device", "cpu", *extra, "--json")
        assert done.returncode == 1
        refused = json.loads(done.stdout)["refused"]
        assert "it has learnt nothing" in refused
        assert done.stderr.splitlines()[-1] == f"error: {refused}"


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(run_folder: Path, plates: Path, tmp_path: Path):
    out = tmp_path / "below" / "out"
    for arguments in (
        ("train", plates, "--out", out, "--epochs", 3),
        ("export", run_folder, "--out", out),
        ("synth", out, "--parts", 3),
    ):
        document = gonogo_json(*arguments, "--dry-run", run=in_process)
        assert document["would_write"] == str(out)
        assert list(tmp_path.iterdir()) == []


def test_a_dry_run_refuses_what_the_real_one_would(run_folder: Path, plates: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    out = ("--out", tmp_path / "out")
    for arguments in (
        ("train", plates, "--out", tmp_path / "mine"),
        ("train", plates, *out, "--arch", "tapper"),
        ("train", plates, *out, "--good", "fine"),
        ("export", run_folder, "--out", tmp_path / "mine", "--force"),
        ("export", run_folder, *out, "--format", "onxx"),
        ("synth", tmp_path / "mine", "--force"),
        ("synth", tmp_path / "out", "--parts", 0),
        ("synth", tmp_path / "out", "--kinds", "scrach"),
    ):
        one_error_line(in_process(*arguments, "--dry-run"))
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def test_a_picture_of_the_verdicts_is_drawn(gauge_folder: Path, plates: Path, tmp_path: Path):
    from PIL import Image

    gonogo_json("predict", gauge_folder, plates / "defect", "--save", tmp_path / "p.png", run=in_process)
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 200


def test_without_json_the_results_are_on_stdout_and_the_rest_on_stderr(gauge_folder: Path, plates: Path):
    done = in_process("predict", gauge_folder, plates / "ok" / "00.png", plates / "defect" / "00.png")
    assert done.stderr == ""
    assert "no-go" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "no-go" in line and "/" in line]
    assert f"{plates / 'defect' / '00.png'}" in line
    as_json = in_process("predict", gauge_folder, plates / "ok" / "00.png", "--json")
    assert json.loads(as_json.stdout)[0]["verdict"] == "go"


def test_many_photos_are_all_in_the_json(gauge_folder: Path, plates: Path):
    rows = gonogo_json("predict", gauge_folder, plates, run=in_process)
    assert len(rows) == 60
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)


def test_recipes_come_from_a_file_and_options_win(plates: Path, tmp_path: Path):
    (tmp_path / "recipe.toml").write_text("epochs = 9\nbatch_size = 8\nrotate_degrees = 10\n")
    arguments = (
        "--recipe",
        tmp_path / "recipe.toml",
        "--set",
        "rotate-degrees=20",
        "--epochs",
        2,
        "--with",
        "widths=8,8,8,8",
    )
    document = gonogo_json("train", plates, "--out", tmp_path / "run", *arguments, "--device", "cpu", run=in_process)
    text = (tmp_path / "run" / "run.toml").read_text()
    assert "epochs = 2\n" in text
    assert "batch_size = 8\n" in text
    assert "rotate_degrees = 20.0\n" in text
    assert document["params_trainable"] == 7 * 7 * 8 + 3 * 9 * 8 * 8 + 2 * 32 + 16 * 2 + 2


def test_key_values():
    assert key_values(["a-b=1", "c = x=y"], "--set") == {"a_b": "1", "c": "x=y"}
    for text in ("a", "=1"):
        with pytest.raises(UsageError, match="expected KEY=VALUE"):
            key_values([text], "--set")


def test_rates_as_text():
    rate = {"value": 0.0312, "low": 0.014, "high": 0.064, "n": 202, "unit": "parts"}
    assert percent(rate) == "3.1 % (1.4 to 6.4, 202 parts)"
    assert percent(None) == percent(rate | {"value": None}) == "-"
