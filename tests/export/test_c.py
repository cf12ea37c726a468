"""The C exporter: what it writes is strict C99, small, and answers as the network did, with vector types or without."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import pytest
import torch

from gonogo.data.geometry import Geometry
from gonogo.errors import ExportError
from gonogo.export.c import write
from gonogo.export.c.text import number, quoted
from gonogo.export.parity import answer
from gonogo.models.architecture import make_spec
from gonogo.models.deployed import Deployed
from gonogo.runtimes import native
from gonogo.runtimes.native import NativeSession
from tests.helpers import make_facts
from tests.helpers_c import COMPILERS, STRICT, network_as_c, photos_of, run_compiler

BAR = 1e-5
# None, those of SSE, and those of a machine that the code knows nothing of (as on ARM).
KINDS_OF_VECTORS: tuple[tuple[str, ...], ...] = (("-DGONOGO_PLAIN_C",),)
if platform.machine() == "x86_64":
    KINDS_OF_VECTORS += (("-mno-avx",), ("-mno-avx", "-U__SSE__"))
RGB = {"mean": (120.0, 110.0, 100.0), "std": (60.0, 50.0, 55.0)}


@pytest.fixture(autouse=True)
def _quick_compiler(monkeypatch: pytest.MonkeyPatch):
    """Speed is not the subject here."""
    monkeypatch.setattr(native, "FLAGS", tuple("-O1" if flag == "-O3" else flag for flag in native.FLAGS))


def worst(deployed: Deployed, path: Path, pixels: np.ndarray) -> float:
    """Return the largest difference to PyTorch of anything that is answered, relative where it is above 1."""
    expected, found = answer(deployed, pixels), NativeSession(path)(pixels)
    return max(
        float((np.abs(one - other) / np.maximum(1, np.abs(one))).max())
        for one, other in zip(expected, found, strict=True)
        if one is not None
    )


@pytest.mark.parametrize("plain", [False, True], ids=["vectors", "plain"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_file_is_strict_c99(compiler: str, plain: bool, tmp_path: Path):
    _, _, path = network_as_c(tmp_path, "stump", Geometry(60, 64, size=(48, 48)), novelty=True, cut=2)
    flags = ["-DGONOGO_PLAIN_C"] if plain else []
    done = run_compiler([compiler, *STRICT, *flags, "-O1", "-c", path, "-o", tmp_path / "gauge.o"])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arch", ["taper", "taper-study"])
def test_plain_c_and_vector_types_answer_alike(arch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    deployed, facts, path = network_as_c(tmp_path, arch, Geometry(72, 80, 3, colour="rgb", **RGB), novelty=True)
    pixels = photos_of(facts.geometry, 4)
    vectors = NativeSession(path)(pixels)
    assert worst(deployed, path, pixels) <= BAR
    flags = native.FLAGS
    for others in KINDS_OF_VECTORS if arch == "taper" else KINDS_OF_VECTORS[:1]:
        monkeypatch.setattr(native, "FLAGS", (*flags, *others))
        told = NativeSession(path)(pixels)
        assert worst(deployed, path, pixels) <= BAR
        for one, other in zip(vectors, told, strict=True):
            assert np.allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("surgery", ["blurpool", "squeeze-excite", "separable", "relu-first"])
def test_a_network_after_surgery_is_answered_alike(surgery: str, tmp_path: Path):
    deployed, facts, path = network_as_c(tmp_path, "taper", Geometry(48, 60), surgery=(surgery,))
    assert worst(deployed, path, photos_of(facts.geometry, 2)) <= BAR


def test_a_6k_taper_is_small(tmp_path: Path):
    _, _, path = network_as_c(tmp_path, "taper", Geometry(300, 300, reduce=3), novelty=True)
    assert path.stat().st_size < 120_000
    assert NativeSession(path).static_bytes < 300_000


def test_an_operator_without_c_code_is_refused_with_its_name_and_layer(tmp_path: Path):
    class Odd(torch.nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return torch.cumsum(inputs, 2)

    deployed, facts, _ = network_as_c(tmp_path / "whole")
    deployed.network.body.append(Odd())
    with pytest.raises(ExportError, match=r"'aten\.cumsum' in layer 'body\.4'.*--format onnx"):
        write(deployed, facts, photos_of(facts.geometry, 1), tmp_path / "odd.c")
    assert [name.name for name in tmp_path.iterdir()] == ["whole"]


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path):
    deployed, facts, _ = network_as_c(tmp_path / "whole")
    with torch.no_grad():
        deployed.network.body[1][0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ExportError, match="no finite number"):
        write(deployed, facts, photos_of(facts.geometry, 1), tmp_path / "odd.c")
    assert [name.name for name in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize("value", [0.0, 1.0, -2.0, 0.1, -0.1, 1e-30, 3.4e38, 1 / 3, 123456.789, 1e10, 100.0])
def test_a_number_in_the_text_is_the_very_same_float(value: float):
    text = number(value)
    assert text.endswith("f")
    assert "." in text or "e" in text
    assert np.float32(text[:-1]) == np.float32(value)


def test_names_cannot_leave_their_string(tmp_path: Path):
    classes = ('a"; system("x"); //', "näht\n\\", "??/")
    assert all(quoted(name).count('"') == 2 + name.count('"') for name in classes)
    geometry = Geometry(48, 60)
    facts = make_facts(geometry, classes, classes[0])
    path = tmp_path / "gauge.c"
    network = make_spec("taper", 3, 1, {}).build().eval()
    write(Deployed(network, geometry, facts.decision.task).eval(), facts, photos_of(geometry, 1), path)
    program = tmp_path / "names.c"
    program.write_text(
        '#include "gauge.h"\n#include <stdio.h>\nint main(void) { const char *names[] = GONOGO_CLASS_NAMES;\n'
        "for (int k = 0; k < GONOGO_CLASSES; k++)\n    puts(names[k]);\nputs(gonogo_facts);\nreturn 0; }\n"
    )
    done = run_compiler(["gcc", *STRICT, "-O0", program, path, "-lm", "-o", tmp_path / "names"])
    assert done.stderr == ""
    said = run_compiler([tmp_path / "names"]).stdout
    assert said.startswith("\n".join(classes))
    assert json.loads(said.splitlines()[-1]) == facts.to_json()
