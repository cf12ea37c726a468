"""The server: what it sends, what it refuses, its certificates, and how it ends."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from PIL import Image

from gonogo.errors import DataError, GaugeError, UsageError
from gonogo.gauge.gauge import Gauge
from gonogo.serve.phone.address import is_this_machine, listen, names_of, url_of
from gonogo.serve.phone.authority import given_certificate, own_certificate
from gonogo.serve.phone.bundle import make_bundle
from gonogo.serve.phone.facts import distinct_names
from gonogo.serve.phone.latency import COLUMNS, MOST_BODY_BYTES, Table, read_row
from tests.helpers import command, in_process, one_error_line, python
from tests.helpers_phone import Serving, serving

ROW: dict[str, Any] = {
    "device_id": "0123456789abcdef",
    "device": "Pixel 7",
    "browser": "Chrome 150",
    "gauge": "gauge",
    "sha256": "ab" * 32,
    "precision": "fp32",
    "backend": "wasm",
    "threads": 1,
    "p50_ms": 1.5,
    "p95_ms": 2.0,
    "p99_ms": 2.5,
    "runs": 200,
    "warm_up": 50,
    "clock_ms": 0.005,
    "runtime": "onnxruntime-web 1.30.0",
    "params": 6014,
    "macs": None,
    "size_bytes": 32647,
}


def body(**changes: Any) -> bytes:
    return json.dumps({**ROW, **changes}).encode()


@pytest.fixture(scope="module")
def served(runtime: None, gauge_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving([gauge_folder], tmp_path_factory.mktemp("latency") / "rows.csv") as server:
        yield server


def test_every_answer_keeps_the_page_to_itself(served: Serving):
    version = json.loads(served.get("version")[2])["version"]
    for path in ("", "sw.js", "version", f"b/{version}/app.js", "desk", "desk/qr.svg", "nothing", "b/other/app.js"):
        _, headers, _ = served.get(path)
        if path != "nothing":
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self' 'wasm-unsafe-eval';" in policy
            assert (headers["cross-origin-opener-policy"], headers["cross-origin-embedder-policy"]) == (
                "same-origin",
                "require-corp",
            )
    assert served.get("nothing")[0] == served.get("b/other/app.js")[0] == served.get("desk/app.js")[0] == 404
    assert served.get("authority.crt")[0] == 404


def test_what_is_sent_is_whole_and_of_the_version(served: Serving, gauge_folder: Path):
    bundle = served.current.bundle()
    page = served.get("")[2].decode()
    assert f'<base href="/b/{bundle.version}/">' in page
    assert "@" not in page
    worker = served.get("sw.js")[2].decode()
    files = json.loads(re.search(r"FILES = (\[.*\])", worker).group(1))  # type: ignore[union-attr]
    assert set(files) == set(bundle.assets) - set(bundle.later)
    assert {"index.html", "app.js", "facts.json", "manifest.webmanifest", "runtime/ort.wasm.min.mjs"} <= set(files)
    gauge = Gauge.load(gauge_folder)
    facts = json.loads(served.get(f"b/{bundle.version}/facts.json")[2])["gauges"][0]
    model = served.get(f"b/{bundle.version}/{facts['model']}")
    assert model[2] == gauge.file_path(gauge.files[0]).read_bytes()
    asked = urllib.request.Request(
        f"{served.url}b/{bundle.version}/{facts['model']}", headers={"Accept-Encoding": "gzip"}
    )
    _, headers, packed = served.ask(asked)
    assert (headers["content-encoding"], gzip.decompress(packed)) == ("gzip", model[2])
    assert "immutable" in headers["cache-control"]
    manifest = json.loads(served.get(f"b/{bundle.version}/manifest.webmanifest")[2])
    assert manifest["start_url"] == "/"
    for icon in manifest["icons"]:
        assert Image.open(io.BytesIO(served.get(icon["src"][1:])[2])).size == tuple(
            int(side) for side in icon["sizes"].split("x")
        )


def test_the_version_is_a_hash_of_everything(served: Serving, gauge_folder: Path):
    assert make_bundle([gauge_folder], 1).version == served.current.bundle().version
    assert make_bundle([gauge_folder], 2).version != served.current.bundle().version


def test_a_row_arrives_replaces_the_one_before_and_is_kept(served: Serving):
    assert served.post("latency", body())[0] == 200
    assert served.post("latency", body(p50_ms=1.25))[0] == 200
    assert served.post("latency", body(backend="webgpu"))[0] == 200
    told = json.loads(served.get("desk/table")[2])
    assert [(row["backend"], row["p50_ms"]) for row in told["rows"]] == [("wasm", 1.25), ("webgpu", 1.5)]
    again = Table(served.table.path)
    assert again.rows == served.table.rows
    assert served.table.path.read_text(encoding="utf-8").splitlines()[0] == ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("posted", "status", "said"),
    [
        (b"{", 422, "not JSON"),
        (b"[]", 422, "expected an object"),
        (b"{}", 422, "too much or missing"),
        (body(more=1), 422, "too much or missing: more"),
        (body(runs=199), 422, "runs is '199', expected a whole number from 200 on"),
        (body(runs=True), 422, "runs"),
        (body(p50_ms="1"), 422, "p50_ms"),
        (body(p50_ms=-1), 422, "p50_ms"),
        (body(p50_ms=float("nan")), 422, "p50_ms"),
        (body(p99_ms=1.0), 422, "p50 <= p95 <= p99"),
        (body(backend="cuda"), 422, "wasm or webgpu"),
        (body(device="=HYPERLINK(1)"), 422, "device"),
        (body(device="a\nb"), 422, "device"),
        (body(device="x" * 81), 422, "device"),
        (body(sha256="zz" * 32), 422, "64 hexadecimal digits"),
        (body(params=-1), 422, "params"),
        (body(device="x" * MOST_BODY_BYTES), 413, "more than 4096 bytes"),
    ],
)
def test_what_is_no_row_is_refused_with_its_reason(served: Serving, posted: bytes, status: int, said: str):
    before = served.table.rows
    found, _, answer = served.post("latency", posted)
    assert found == status
    assert said in json.loads(answer)["error"]
    assert served.table.rows == before


def test_another_kind_of_body_or_request_is_refused(served: Serving):
    assert served.post("latency", body(), "text/plain")[0] == 415
    assert served.get("latency")[0] == 405


def test_a_file_that_is_no_table_is_refused(tmp_path: Path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"other.csv is no table of latencies \(line 2: 'device_id'\)"):
        Table(other)
    assert other.read_text(encoding="utf-8") == "a,b\n1,2\n"


def test_rows_are_not_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gonogo.serve.phone.latency.MOST_ROWS", 2)
    table = Table(tmp_path / "rows.csv")
    for number in range(2):
        table.put(read_row(body(device_id=f"{number:016x}"), datetime(2026, 3, 4, tzinfo=UTC)))
    with pytest.raises(DataError, match="2 rows, the most"):
        table.put(read_row(body(device_id="f" * 16)))
    table.put(read_row(body(device_id=f"{1:016x}", p50_ms=0.5)))
    assert [row.p50_ms for row in table.rows] == [1.5, 0.5]


def test_names_tell_two_gauges_apart(tmp_path: Path):
    assert distinct_names([tmp_path / "a" / "gauge"]) == ["gauge"]
    assert distinct_names([tmp_path / "a" / "gauge", tmp_path / "b" / "gauge"]) == ["a/gauge", "b/gauge"]
    with pytest.raises(UsageError, match="given twice"):
        distinct_names([tmp_path / "a", tmp_path / "b" / ".." / "a"])


def test_a_gauge_without_an_onnx_file_is_refused(gauge_folder: Path, tmp_path: Path, runtime: None):
    import shutil

    from gonogo.gauge.gauge import GaugeFile, write_manifest

    folder = shutil.copytree(gauge_folder, tmp_path / "gauge")
    (folder / "model.onnx").rename(folder / "gauge.c")
    file = GaugeFile.of(folder / "gauge.c", "native", "fp32", 0.0)
    write_manifest(folder, Gauge.load(gauge_folder).facts, [file])
    with pytest.raises(GaugeError, match=r"has no ONNX file \(gauge.c\)"):
        make_bundle([folder], 1)


def test_addresses():
    assert url_of("https", "192.168.1.20", 8443) == "https://192.168.1.20:8443/"
    assert url_of("https", "fe80::1", 443) == "https://[fe80::1]/"
    assert [is_this_machine(host) for host in ("localhost", "127.0.0.9", "::1", "192.168.1.20", "line.local")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert {"localhost", "127.0.0.1"} < set(names_of("0.0.0.0"))
    with pytest.raises(UsageError, match=r"--host nowhere\.invalid is unknown here"):
        listen("nowhere.invalid", 0)
    with pytest.raises(UsageError, match=r"cannot listen at 203\.0\.113\.7, port 0"):
        listen("203.0.113.7", 0)


def test_certificates_hold_for_private_addresses_alone_and_are_made_once(empty_cache: Path):
    made = own_certificate(["10.1.2.3", "localhost"])
    assert made.authority is not None
    assert made.key.stat().st_mode & 0o077 == 0
    assert (empty_cache / "phone" / "authority-key.pem").stat().st_mode & 0o077 == 0
    before = made.cert.read_bytes(), made.authority.read_bytes()
    own_certificate(["localhost"])
    assert (made.cert.read_bytes(), made.authority.read_bytes()) == before
    own_certificate(["10.1.2.4"])
    assert made.cert.read_bytes() != before[0]
    assert made.authority.read_bytes() == before[1]
    authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert x509.DNSName("local") in limits.value.permitted_subtrees
    # A network that gives its machines public addresses: for this one address, by an authority that says so.
    own_certificate(["203.0.113.7", "localhost"])
    wider = x509.load_pem_x509_certificate(made.authority.read_bytes())
    permitted = wider.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    public = [one for one in permitted if one not in limits.value.permitted_subtrees]
    assert [str(one.value) for one in public] == ["203.0.113.7/32"]


def test_a_given_certificate_must_fit_its_key(empty_cache: Path, tmp_path: Path):
    made = own_certificate(["localhost"])
    assert given_certificate(made.cert, made.key).authority is None
    with pytest.raises(UsageError, match="is not the key of"):
        given_certificate(made.cert, empty_cache / "phone" / "authority-key.pem")
    with pytest.raises(UsageError, match="are not an unencrypted PEM certificate"):
        given_certificate(made.key, made.key)
    with pytest.raises(UsageError, match="No such file"):
        given_certificate(tmp_path / "none.pem", made.key)


def test_wrong_use_is_one_line(gauge_folder: Path, runtime: None, tmp_path: Path):
    out = ("--out", tmp_path / "rows.csv")
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        line = one_error_line(in_process("phone", gauge_folder, "--http", "--host", "127.0.0.1", "--port", port, *out))
        proposed = re.search(rf"port {port} is in use; take a free one: --port (\d+)", line)
        assert proposed is not None
        assert int(proposed.group(1)) != port
    three = (gauge_folder, tmp_path / "b", tmp_path / "c")
    assert "3 gauges, expected one, or two" in one_error_line(in_process("phone", *three, *out))
    assert "not a gauge" in one_error_line(in_process("phone", tmp_path, *out))
    assert "give both --cert and --key" in one_error_line(in_process("phone", gauge_folder, "--key", "k.pem", *out))
    assert list(tmp_path.iterdir()) == []


def test_without_the_runtime_or_the_extra_the_line_has_the_command(
    gauge_folder: Path, empty_cache: Path, tmp_path: Path
):
    line = one_error_line(in_process("phone", gauge_folder, "--out", tmp_path / "rows.csv"))
    assert f"npm pack onnxruntime-web@1.30.0 --pack-destination '{empty_cache / 'web'}'" in line
    (empty_cache / "web").mkdir(parents=True)
    (empty_cache / "web" / "onnxruntime-web-1.30.0.tgz").write_bytes(b"another one")
    assert "its hash differs" in one_error_line(in_process("phone", gauge_folder, "--out", tmp_path / "rows.csv"))
    missing = python(
        "import sys; sys.modules['uvicorn'] = None; sys.argv[0] = 'gonogo'; from gonogo.cli import main; main()",
        "phone",
        gauge_folder,
    )
    assert one_error_line(missing).endswith("run: pip install 'gonogo[phone]'")


def test_it_needs_nothing_that_only_training_needs():
    names = ("torch", "scipy", "sklearn", "onnx", "pyarrow", "cv2", "jinja2")
    done = python(f"import sys, gonogo.serve.phone.serve; print([m for m in {names} if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_dry_run_says_what_would_be_served(gauge_folder: Path, runtime: None, tmp_path: Path):
    out = tmp_path / "rows.csv"
    done = in_process("phone", gauge_folder, "--port", 0, "--out", out, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["url"].startswith("https://")
    assert told["gauges"][0]["sha256"] == Gauge.load(gauge_folder).files[0].sha256
    assert told["rows"] == []
    assert f"phone:   {told['url']}" in done.stderr
    assert "offline and installing once the phone trusts" in done.stderr
    assert "\N{FULL BLOCK}" in done.stderr  # the QR code
    assert not out.exists()


@pytest.fixture
def process(
    gauge_folder: Path, runtime: None, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], int, list[str]]]:
    """The command as a user starts it, over https; its port and what it says on stderr."""
    words = [*command(), "phone", str(gauge_folder), "--host", "127.0.0.1", "--port", "0", "--json"]
    words += ["--out", str(tmp_path / "rows.csv")]
    started = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    said: list[str] = []
    assert started.stderr is not None
    for line in started.stderr:
        said.append(line)
        if line.startswith("Ctrl-C"):
            break
    # What it says later must not fill the pipe.
    reader = threading.Thread(target=lambda: said.extend(started.stderr))  # type: ignore[arg-type]
    reader.start()
    url = next(line for line in said if line.startswith("phone:"))
    try:
        yield started, int(url.strip().rstrip("/").rpartition(":")[2]), said
    finally:
        started.kill()
        started.wait()
        reader.join()
        for stream in (started.stdout, started.stderr):
            if stream is not None:
                stream.close()


def test_over_https_phones_come_and_go_and_ctrl_c_ends_it(process: tuple[subprocess.Popen[str], int, list[str]]):
    started, port, said = process
    authority = Path(os.environ["GONOGO_CACHE"]) / "phone" / "authority.pem"
    trusting = ssl.create_default_context(cafile=str(authority))
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=20)
    connection.request("POST", "/latency", body(), {"Content-Type": "application/json"})
    assert connection.getresponse().read() == b'{"rows":1}'
    connection.request("GET", "/authority.crt")
    assert connection.getresponse().read() == authority.read_bytes()
    connection.request("GET", "/version")
    version = json.loads(connection.getresponse().read())["version"]
    # A phone that does not trust it, one that speaks no TLS, and two that leave in the middle.
    with pytest.raises(ssl.SSLCertVerificationError):
        http.client.HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context(), timeout=20).connect()
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        plain.recv(100)
    for request in (
        f"GET /b/{version}/runtime/ort-wasm-simd-threaded.wasm HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /latency HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{",
    ):
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leave without a word
        with trusting.wrap_socket(raw, server_hostname="127.0.0.1") as leaving:
            leaving.sendall(request.encode())
            if request.startswith("GET"):
                assert leaving.recv(200).startswith(b"HTTP/1.1 200 OK")
    connection.request("GET", "/desk/table")
    assert len(json.loads(connection.getresponse().read())["rows"]) == 1
    started.send_signal(signal.SIGINT)
    assert started.wait(timeout=20) == 0
    assert started.stdout is not None
    told = json.loads(started.stdout.read())
    assert (told["rows"][0]["device"], told["version"]) == ("Pixel 7", version)
    assert "Traceback" not in "".join(said)
    assert "rror" not in "".join(said)
    connection.close()
