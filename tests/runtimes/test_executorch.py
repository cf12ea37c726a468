"""ExecuTorch opens gauges and refuses everything else; a program alone is enough."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from gonogo.errors import DataError, ExportError, GaugeError
from gonogo.export.gauge import export_gauge
from gonogo.gauge.facts import METADATA_KEY, Facts
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import verify
from gonogo.runtimes import RUNTIMES
from gonogo.train.run import Run
from tests.helpers import need, noise, one_error_line, python


@pytest.fixture(scope="module")
def gauge(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("executorch")
    folder = tmp_path_factory.mktemp("executorch") / "gauge"
    export_gauge(Run.open(run_folder), folder, ["executorch", "onnx"])
    return folder


def test_both_runtimes_answer_alike_and_the_gauge_holds(gauge: Path):
    opened = Gauge.load(gauge)
    assert [(file.path, file.runtime) for file in opened.files] == [
        ("model.pte", "executorch"),
        ("model.onnx", "onnxruntime"),
    ]
    assert all(parity.holds for _, parity in verify(opened))
    pixels = np.stack([noise(64, 64, seed=seed) for seed in range(6)])
    first, second = (opened.open(file)(pixels) for file in opened.files)
    assert np.abs(first.pred_probs - second.pred_probs).max() < 1e-5
    assert first.heatmap is not None
    assert np.allclose(first.heatmap, second.heatmap, atol=1e-4, rtol=1e-4)
    assert np.allclose(first.novelty, second.novelty, atol=1e-4, rtol=1e-4)


def test_where_operators_run_is_told(gauge: Path):
    found = RUNTIMES.get("executorch").placement(gauge / "model.pte")  # type: ignore[misc]
    assert found.delegate == "XNNPACK"
    assert found.parts >= 1
    assert "dim_order_ops::_to_dim_order_copy" in found.own  # bytes to floats, which XNNPACK does not have
    assert not any("conv" in name for name in found.own)
    assert "the runtime itself dim_order_ops::_to_dim_order_copy, " in found.in_words


def test_the_file_alone_is_a_gauge_and_says_so_in_methods_of_its_own(gauge: Path, tmp_path: Path):
    alone = Path(shutil.copyfile(gauge / "model.pte", tmp_path / "model.pte"))
    opened, whole = Gauge.load(alone), Gauge.load(gauge)
    assert opened.facts == whole.facts
    assert (opened.files[0].runtime, opened.files[0].precision) == ("executorch", "fp32")
    photo = noise(64, 64, seed=3)
    one, other = opened.inspect(photo), whole.inspect(photo)
    assert (one.label, one.verdict, one.prob) == (other.label, other.verdict, other.prob)
    metadata = RUNTIMES.get("executorch").open(alone, 1).metadata
    assert Facts.from_json(json.loads(metadata[METADATA_KEY]), "file") == whole.facts
    assert metadata["gonogo_outputs"] == "pred_probs heatmap novelty"


@pytest.mark.parametrize("data", [b"", b"text", b"\x1c\x00\x00\x00ET12" + b"\xff" * 99])
def test_what_is_no_program_is_refused_in_one_line(data: bytes, tmp_path: Path):
    need("executorch")
    (tmp_path / "m.pte").write_bytes(data)
    with pytest.raises(GaugeError, match=r"m\.pte is no whole program of 'gonogo export'") as caught:
        RUNTIMES.get("executorch").open(tmp_path / "m.pte", 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_file_that_is_cut_or_altered_anywhere_is_refused_before_it_is_run(share: float, gauge: Path, tmp_path: Path):
    content = bytearray((gauge / "model.pte").read_bytes())
    place = int(len(content) * share)
    (tmp_path / "cut.pte").write_bytes(content[:place])
    content[place] ^= 4
    (tmp_path / "altered.pte").write_bytes(content)
    for name in ("cut.pte", "altered.pte"):
        with pytest.raises(GaugeError, match=name):
            Gauge.load(tmp_path / name)


def test_a_whole_file_with_other_answers_than_it_names_is_refused(gauge: Path, tmp_path: Path):
    from gonogo.runtimes.executorch import seal

    content = (gauge / "model.pte").read_bytes()
    swapped = content.replace(b"pred_probs heatmap novelty", b"pred_probs novelty heatmap")
    (tmp_path / "m.pte").write_bytes(seal(swapped))
    with pytest.raises(GaugeError, match=r"answers 'pred_probs novelty heatmap' on \[2, 3, 1\] axes"):
        Gauge.load(tmp_path / "m.pte")


def test_pixels_of_another_shape_or_type_are_refused(gauge: Path):
    session = RUNTIMES.get("executorch").open(gauge / "model.pte", 1)
    with pytest.raises(DataError, match=r"shape \(1, 9, 9, 1\).*takes \(N, 64, 64, 1\) uint8"):
        session(noise(9, 9)[None])
    with pytest.raises(DataError, match="float32 pixels"):
        session(noise(64, 64)[None].astype(np.float32))


def test_an_answer_is_not_overwritten_by_the_next(gauge: Path):
    session = RUNTIMES.get("executorch").open(gauge / "model.pte", 1)
    first = session(noise(64, 64, seed=1)[None])
    kept = first.pred_probs.copy()
    session(noise(64, 64, seed=2)[None])
    assert np.array_equal(first.pred_probs, kept)


THREADS = """
import sys
from pathlib import Path
import numpy as np
from gonogo.runtimes import RUNTIMES
photo = np.arange(64 * 64, dtype=np.uint8).reshape(1, 64, 64, 1)
sessions = [RUNTIMES.get("executorch").open(Path(sys.argv[1]), threads) for threads in (1, 2, 1, 3)]
print(len({session(photo).pred_probs.tobytes() for session in sessions * 2}))
"""


@pytest.mark.slow
def test_sessions_of_several_numbers_of_threads_live_side_by_side(gauge: Path):
    # In a process of its own: with a pool of threads that is gone, ExecuTorch would wait forever.
    done = python(THREADS, gauge / "model.pte")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "1", "")


class Shared(torch.nn.Module):
    """A bias that a linear layer packs, and an addition reads."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(8, 3)

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.linear(values), values[:, :3] + self.linear.bias


CALL = """
import sys, torch
from executorch.extension.pybindings import _C
content = open(sys.argv[1], "rb").read()
program = _C._load_program_from_buffer(content)
print([round(float(value), 4) for told in program.load_method("forward").call([torch.ones(1, 8)]) for value in told[0]])
"""


@pytest.mark.slow
def test_a_constant_that_two_operators_read_is_no_longer_read_when_it_is_freed(tmp_path: Path):
    need("executorch")
    from gonogo.export.executorch import to_program

    torch.manual_seed(0)
    module = Shared().eval()
    (tmp_path / "m.pte").write_bytes(to_program(module, torch.ones(1, 8), {}))
    with torch.no_grad():
        expected = [float(value) for told in module(torch.ones(1, 8)) for value in told[0]]
    done = python(CALL, tmp_path / "m.pte")
    assert done.returncode == 0
    assert np.allclose(json.loads(done.stdout), expected, atol=1e-4)


class Unknown(torch.nn.Module):
    """What ExecuTorch has no kernel for."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svdvals(values)


def test_an_operator_that_executorch_lacks_is_refused_by_name():
    need("executorch")
    from gonogo.export.executorch import to_program

    with pytest.raises(ExportError, match=r"cannot be written for ExecuTorch .*svd") as caught:
        to_program(Unknown(), torch.rand(4, 4), {})
    assert "\n" not in str(caught.value)


ABSENT = """
import sys
sys.modules["executorch"] = None
from gonogo.cli import main
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "GAUGE"),
        pytest.param(("export", "RUN", "--format", "executorch", "--out", "OUT"), marks=pytest.mark.slow),
    ],
)
def test_what_is_not_installed_is_one_line_with_its_command(
    arguments: tuple[str, ...], gauge: Path, run_folder: Path, tmp_path: Path
):
    places = {"GAUGE": gauge, "RUN": run_folder, "OUT": tmp_path / "out"}
    line = one_error_line(python(ABSENT, *(places.get(word, word) for word in arguments)))
    assert line.endswith(
        "needs the package 'executorch', which is not installed; run: pip install 'gonogo[executorch]'"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_executorch_does_not_speak_between_the_lines(gauge: Path):
    done = python("from gonogo.cli import main; main()", "verify", gauge, "--json")
    assert done.returncode == 0
    assert "cpp:" not in done.stderr
    assert [file["verdicts_equal"] for file in json.loads(done.stdout)["files"]] == [True, True]
