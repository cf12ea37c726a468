"""Everything that a phone needs, as one whole with one version; a gauge that changes while it is served is another one.

A phone never holds a mix: the version is a hash of every byte, it is part of every address, and an address of another
version is answered with 404.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from gonogo import __version__
from gonogo.errors import GonogoError
from gonogo.gauge.gauge import MANIFEST_NAME, Gauge
from gonogo.serve.phone.facts import distinct_names, serve_gauge
from gonogo.serve.phone.icons import SIZES, icon
from gonogo.serve.phone.runtime import VERSION, WEBGPU, runtime_files

DESK = ("desk.html", "desk.css", "desk.js")
SERVICE_WORKER = "sw.js"
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "json": "application/json",
    "webmanifest": "application/manifest+json",
    "png": "image/png",
    "wasm": "application/wasm",
    "onnx": "application/octet-stream",
}
PACKED = {"html", "css", "js", "mjs", "json", "wasm", "onnx"}  # what gzip makes smaller
MARK = "@VERSION@"
LOOKED_AT_EVERY_S = 0.5


@dataclass(frozen=True)
class Asset:
    """A file as it is sent.

    Attributes:
        body: its bytes.
        media_type: what the browser is told of it.
        packed: the same by gzip; None where that would not make it smaller.
    """

    body: bytes
    media_type: str
    packed: bytes | None

    @classmethod
    def of(cls, path: str, body: bytes) -> Asset:
        """Return a file with the media type of its name."""
        suffix = path.rpartition(".")[2]
        return cls(body, MEDIA_TYPES[suffix], _gzip(body) if suffix in PACKED else None)


@cache
def _gzip(body: bytes) -> bytes:
    """Pack the same bytes once: the runtime stays when a gauge changes."""
    return gzip.compress(body, 1, mtime=0)


@dataclass(frozen=True)
class Bundle:
    """One version of everything.

    Attributes:
        version: hash of all of it.
        assets: by path below the version's address; ``index.html`` is the page itself.
        later: paths that only some phones need and that are not waited for: the runtime for GPUs.
        gauges: what the page knows of each gauge.
        service_worker: the script that keeps this version on the phone.
    """

    version: str
    assets: Mapping[str, Asset]
    later: tuple[str, ...]
    gauges: tuple[dict[str, Any], ...]
    service_worker: Asset


def page_file(name: str) -> bytes:
    """Return a file of the page as it was installed."""
    return (files("gonogo.serve.phone") / "page" / name).read_bytes()


def _page_names() -> list[str]:
    """Return the files that make the page; the desk's and the service worker stand outside of the version's address."""
    names = sorted(file.name for file in (files("gonogo.serve.phone") / "page").iterdir())
    return [
        name
        for name in names
        if name.partition(".")[2] in ("html", "css", "js") and name not in (*DESK, SERVICE_WORKER)
    ]


def make_bundle(paths: Sequence[Path], threads: int) -> Bundle:
    """Gather page, runtime and gauges.

    Args:
        paths: of one or two gauges.
        threads: of the runtime, at most; phones have fewer cores or allow one alone.

    Raises:
        GaugeError: a gauge is missing, incomplete, altered, or has no ONNX file.
        UsageError: the runtime was not fetched, or a gauge is given twice.
    """
    served = [serve_gauge(Gauge.load(path), name) for path, name in zip(paths, distinct_names(paths), strict=True)]
    facts: dict[str, Any] = {
        "gonogo": __version__,
        "runtime": f"onnxruntime-web {VERSION}",
        "threads": threads,
        "gauges": [one.facts for one in served],
    }
    content = {name: page_file(name) for name in _page_names()}
    content |= {f"runtime/{name}": body for name, body in runtime_files().items()}
    content |= {f"icon-{size}.png": icon(size) for size in SIZES}
    for one in served:
        content |= one.files
    content["facts.json"] = json.dumps(facts, allow_nan=False).encode()
    worker = page_file(SERVICE_WORKER)
    version = _version({**content, SERVICE_WORKER: worker})
    content["index.html"] = content["index.html"].replace(MARK.encode(), version.encode())
    content["manifest.webmanifest"] = json.dumps(_manifest(version)).encode()
    later = tuple(f"runtime/{name}" for name in WEBGPU)
    listed = json.dumps(sorted(set(content) - set(later)))
    script = worker.decode().replace(MARK, version).replace("@FILES@", listed)
    assets = {path: Asset.of(path, body) for path, body in content.items()}
    return Bundle(version, assets, later, tuple(facts["gauges"]), Asset.of(SERVICE_WORKER, script.encode()))


def _version(content: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for path in sorted(content):
        whole.update(f"{path}\0{hashlib.sha256(content[path]).hexdigest()}\n".encode())
    return whole.hexdigest()[:16]


def _manifest(version: str) -> dict[str, Any]:
    icons = [
        {"src": f"/b/{version}/icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for size in SIZES
        for purpose in ("any", "maskable")
    ]
    return {
        "name": "gonogo gauge",
        "short_name": "gonogo",
        "description": "A go/no-go gauge that runs on this phone.",
        "id": "/",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#15171a",
        "theme_color": "#15171a",
        "icons": icons,
    }


class Current:
    """The bundle that is served now: made anew when a gauge's files change, kept when the new ones cannot be opened.

    Args:
        paths: of the gauges.
        threads: as of `make_bundle`.
        note: called with one line when a gauge was taken anew or could not be.
    """

    def __init__(self, paths: Sequence[Path], threads: int, note: Callable[[str], None]) -> None:
        self._paths, self._threads, self._note = tuple(paths), threads, note
        self._lock = threading.Lock()
        self._seen = self._signature()
        self._looked = time.monotonic()
        self._bundle = make_bundle(paths, threads)
        self._before: Bundle | None = None
        self.problem: str | None = None

    def bundle(self) -> Bundle:
        """Return what is served now; looks at the gauges' files twice a second at most."""
        with self._lock:
            if time.monotonic() - self._looked >= LOOKED_AT_EVERY_S:
                signature = self._signature()
                if signature != self._seen:
                    self._take(signature)
                self._looked = time.monotonic()
            return self._bundle

    def of_version(self, version: str) -> Bundle | None:
        """Return the bundle of this version: the one served now or the one before it; None for any other.

        A phone that is in the middle of fetching the one before still gets it whole.
        """
        now = self.bundle()
        return next((one for one in (now, self._before) if one is not None and one.version == version), None)

    def _take(self, signature: tuple[object, ...]) -> None:
        self._seen = signature
        try:
            bundle = make_bundle(self._paths, self._threads)
        except (GonogoError, OSError) as error:
            # Most often it is being written: the next look finds it whole.
            self.problem = f"a gauge has changed and cannot be opened, the one before stays: {error}"
            self._note(self.problem)
            return
        self.problem = None
        if bundle.version != self._bundle.version:
            self._before, self._bundle = self._bundle, bundle
            self._note(f"a gauge has changed: phones take version {bundle.version} at their next contact")

    def _signature(self) -> tuple[object, ...]:
        """Return what changes when a gauge is exported anew: sizes, times and numbers of its files."""
        found: list[object] = []
        for path in self._paths:
            for file in (path,) if path.is_file() else [*sorted(path.glob("*.onnx")), path / MANIFEST_NAME]:
                try:
                    status = file.stat()
                except OSError:
                    found.append((str(file), None))
                    continue
                found.append((str(file), status.st_size, status.st_mtime_ns, status.st_ino))
        return tuple(found)
