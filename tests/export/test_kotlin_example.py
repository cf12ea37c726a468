"""The Kotlin example: a gauge's facts out of a TFLite file, its pixels and its verdicts, as Python has them.

Android and LiteRT's library for it install from nowhere that tests may ask, so what needs them is only compiled,
against the signatures that it uses (https://ai.google.dev/edge/api/tflite/java/org/tensorflow/lite/Interpreter).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from PIL import Image

from gonogo.data.geometry import Geometry
from gonogo.data.images import decode_photo
from gonogo.data.scan import cache_folder
from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.export.gauge import export_gauge
from gonogo.gauge.facts import Facts
from gonogo.train.run import Run
from tests.helpers import REPOSITORY, make_facts, need, noise, picture, skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLE = REPOSITORY / "examples" / "kotlin"
# Read before any test has a cache of its own.
INSTALLED = cache_folder() / "kotlin"
Ask = Callable[..., list[str]]
# Answers one line for each line: what to do, then the model's file and further words.
DRIVER = """
import gonogo.Facts
import java.io.File
import java.nio.ByteBuffer

fun main() = generateSequence(::readlnOrNull).forEach { line ->
    val words = line.split('\\t')
    try {
        val facts = Facts.of(ByteBuffer.wrap(File(words[1]).readBytes()))
        println(when (words[0]) {
            "facts" -> "${facts.width} ${facts.height} ${facts.channels} ${facts.classes.joinToString(",")}"
            "decide" -> {
                val probs = words[2].split(' ').map(String::toFloat).toFloatArray()
                val told = facts.decide(probs, words[3].toFloatOrNull())
                "${told.answer}\\t${told.label}\\t${told.prob}"
            }
            else -> {
                val argb = File(words[2]).readBytes().let { ByteBuffer.wrap(it).asIntBuffer() }
                val given = IntArray(argb.remaining()).also { argb.get(it) }
                val pixels = facts.pixels(given, words[3].toInt(), words[4].toInt())
                File(words[5]).writeBytes(ByteArray(pixels.remaining()).also { pixels.get(it) })
                "written"
            }
        })
    } catch (error: IllegalArgumentException) {
        println("error: ${error.message}")
    }
}
"""
SIGNATURES = {
    "Bitmap": """package android.graphics
        abstract class Bitmap { abstract val width: Int; abstract val height: Int
        abstract fun getPixels(out: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int) }""",
    "Context": """package android.content
        abstract class AssetManager { abstract fun open(name: String): java.io.InputStream }
        abstract class Context { abstract val assets: AssetManager }""",
    "Interpreter": """package org.tensorflow.lite
        interface Tensor { fun numElements(): Int }
        class Interpreter(model: java.nio.ByteBuffer, options: Options) : AutoCloseable {
        class Options { fun setNumThreads(threads: Int): Options = TODO("$threads") }
        val signatureKeys: Array<String> get() = TODO()
        fun getSignatureOutputs(key: String): Array<String> = TODO(key)
        fun getOutputTensorFromSignature(name: String, key: String): Tensor = TODO("$name $key")
        fun runSignature(given: Map<String, Any>, told: Map<String, Any>, key: String) { TODO("$given $told $key") }
        override fun close() {} }""",
}


def compile_kotlin(sources: list[Path], out: Path) -> Path:
    """Compile to a folder of classes; any warning fails."""
    if not (INSTALLED / "made-of").is_file() or shutil.which("java") is None:
        skip(f"no Kotlin in {INSTALLED}; run: make kotlin")
    compiler = INSTALLED / "compiler" / "bin" / "kotlinc"
    command = [compiler, "-Werror", "-cp", INSTALLED / "json.jar", *sources, "-d", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    folder = tmp_path_factory.mktemp("kotlin")
    (folder / "driver.kt").write_text(DRIVER)
    classes = compile_kotlin([EXAMPLE / "Facts.kt", folder / "driver.kt"], folder / "classes")
    path = f"{classes}:{INSTALLED / 'json.jar'}:{INSTALLED / 'compiler' / 'lib' / 'kotlin-stdlib.jar'}"

    def answers(*lines: list[object]) -> list[str]:
        text = "".join("\t".join(map(str, words)) + "\n" for words in lines)
        done = subprocess.run(
            ["java", "-cp", path, "DriverKt"], input=text, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return answers


def write_tflite(path: Path, text: str, name: str = "gonogo") -> Path:
    """Write a TFLite file that holds nothing but metadata, the wanted one among others."""
    builder = flatbuffers.Builder()
    entries, buffers = [], []
    for number, (key, value) in enumerate([("", ""), ("min_runtime_version", "1.5.0"), (name, text)]):
        key_place, value_place = builder.CreateString(key), builder.CreateByteVector(value.encode())
        builder.StartObject(3)
        builder.PrependUOffsetTRelativeSlot(0, value_place, 0)
        buffers.append(builder.EndObject())
        builder.StartObject(2)
        builder.PrependUOffsetTRelativeSlot(0, key_place, 0)
        builder.PrependUint32Slot(1, number, 0)
        entries.append(builder.EndObject())
    vectors = []
    for members in (buffers, entries):
        builder.StartVector(4, len(members), 4)
        for member in reversed(members):
            builder.PrependUOffsetTRelative(member)
        vectors.append(builder.EndVector())
    builder.StartObject(8)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(4, vectors[0], 0)
    builder.PrependUOffsetTRelativeSlot(6, vectors[1], 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def model_of(path: Path, facts: Facts) -> Path:
    return write_tflite(path, json.dumps(facts.to_json(), sort_keys=True))


def words(values: Iterable[np.float32]) -> str:
    """Return numbers as Kotlin reads them."""
    return " ".join("NaN" if np.isnan(value) else str(value) for value in values)


DECISIONS = {
    "threshold": Decision(Task(("defect", "ok"), "ok"), 0.41703492, "test"),
    "review": Decision(Task(("ok", "scratch", "dent"), "ok"), 0.2, "test", no_go_from=0.7),
    "sorting": Decision(Task(("hole", "scratch", "Öl fleck"), None), None, "test"),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_verdicts_are_those_of_python(name: str, ask: Ask, tmp_path: Path):
    decision = DECISIONS[name]
    model = model_of(tmp_path / "model.tflite", replace(make_facts(Geometry(48, 60)), decision=decision))
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(len(decision.task.classes)), 300).astype(np.float32)
    good = decision.task.good_index
    if good is not None:
        # At the thresholds themselves, one step beside them, and what is not a number.
        for row, defect in enumerate([decision.threshold, decision.no_go_from or 0.5, np.nan]):
            probs[row, good] = np.float32(1) - np.float32(defect)
        probs[3, good] = np.nextafter(probs[0, good], np.float32(2))
    novelty = rng.choice(np.array([0, 0.5, 1, 1.0000001, 4, np.nan], np.float32), len(probs))
    lines = [["decide", model, words(row), words([seen])] for row, seen in zip(probs, novelty, strict=True)]
    lines += [["decide", model, words(row), "-"] for row in probs]
    told = [line.split("\t") for line in ask(*lines)]
    expected = [*decision.verdicts(probs, novelty), *decision.verdicts(probs)]
    answers = {"GO": "go", "NO_GO": "no-go", "REVIEW": "review", "SORTED": None}
    assert [answers[row[0]] for row in told] == expected
    labels = [decision.task.classes[label] for label in decision.labels(probs)]
    known = [row for row in range(len(probs)) if not np.isnan(probs[row]).any()]
    assert [told[row][1] for row in known] == [labels[row] for row in known]
    found = np.array([float(row[2]) for row in told[: len(probs)]], np.float32)
    assert np.array_equal(found, decision.probs(probs), equal_nan=True)


@pytest.mark.parametrize(("channels", "any_size"), list(product((1, 3), (False, True))))
def test_the_model_gets_the_pixels_that_python_reads(channels: int, any_size: bool, ask: Ask, tmp_path: Path):
    colours = ("rgb", (127.5,) * 3, (64.0,) * 3) if channels == 3 else ("grey", (127.5,), (64.0,))
    size = (None, None) if any_size else (48, 60)
    geometry = Geometry(*size, channels, (2, 3, 50, 40), 1, *colours)
    model = model_of(tmp_path / "model.tflite", make_facts(geometry))
    picture(noise(48, 60, 3)).save(tmp_path / "photo.png")
    argb = np.asarray(Image.open(tmp_path / "photo.png").convert("RGBA"))[:, :, [3, 0, 1, 2]]
    (tmp_path / "argb").write_bytes(argb.tobytes())
    height, width = (43, 52) if any_size else (48, 60)
    told = ask(["facts", model], ["pixels", model, tmp_path / "argb", 60, 48, tmp_path / "pixels"])
    assert told == [f"{width} {height} {channels} defect,ok", "written"]
    found = np.frombuffer((tmp_path / "pixels").read_bytes(), np.uint8).reshape(height, width, channels)
    assert np.array_equal(found, decode_photo(tmp_path / "photo.png", channels=channels)[:height, :width])
    (refused,) = ask(["pixels", model, tmp_path / "argb", 40, 48, tmp_path / "none"])
    wanted = "at least 52 x 43" if any_size else "60 x 48"
    assert refused == f"error: 40 x 48 pixels, expected {wanted}"


def test_files_that_are_no_gauge_are_refused(ask: Ask, tmp_path: Path):
    text = json.dumps(make_facts(Geometry(48, 60)).to_json())
    whole = write_tflite(tmp_path / "whole.tflite", text).read_bytes()
    (tmp_path / "text.tflite").write_text("no model at all")
    (tmp_path / "wild.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + b"\xff" * 99)
    cuts = {f"cut{share}": "error: " for share in (0.05, 0.2, 0.5, 0.9, 0.99)}
    for name in cuts:
        (tmp_path / f"{name}.tflite").write_bytes(whole[: int(len(whole) * float(name[3:]))])
    write_tflite(tmp_path / "other.tflite", text, name="another")
    write_tflite(tmp_path / "schema.tflite", text.replace('"schema": 1', '"schema": 9'))
    write_tflite(tmp_path / "half.tflite", text[:90])
    whys = cuts | {
        "text": "no TFLite file",
        "wild": "no gonogo metadata",
        "cut0.99": "cut or altered",
        "other": "no gonogo metadata",
        "schema": "schema 9, expected 1",
        "half": "facts that cannot be read",
    }
    told = ask(*(["facts", tmp_path / f"{name}.tflite"] for name in whys))
    assert len(told) == len(whys)
    for line, why in zip(told, whys.values(), strict=True):
        assert line.startswith("error: ")
        assert why in line


def test_the_facts_of_a_written_file_are_read(ask: Ask, run_folder: Path, tmp_path: Path):
    need("litert")
    gauge = export_gauge(Run.open(run_folder), tmp_path / "gauge", ["litert"]).gauge
    model = gauge.path / "model.tflite"
    decision, geometry = gauge.facts.decision, gauge.facts.geometry
    probs = np.random.default_rng(0).dirichlet(np.ones(2), 50).astype(np.float32)
    told = ask(["facts", model], *(["decide", model, words(row), "-"] for row in probs))
    assert told[0] == f"{geometry.width} {geometry.height} 1 {','.join(decision.task.classes)}"
    answers = {"GO": "go", "NO_GO": "no-go"}
    assert [answers[line.split("\t")[0]] for line in told[1:]] == decision.verdicts(probs)


def test_what_needs_android_is_compiled(tmp_path: Path):
    for name, text in SIGNATURES.items():
        (tmp_path / f"{name}.kt").write_text(text)
    sources = [EXAMPLE / "Facts.kt", EXAMPLE / "Gauge.kt", *(tmp_path / f"{name}.kt" for name in SIGNATURES)]
    classes = compile_kotlin(sources, tmp_path / "classes")
    assert (classes / "gonogo" / "Gauge.class").is_file()
