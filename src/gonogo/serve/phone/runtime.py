"""ONNX Runtime for browsers, out of the one npm package that gonogo was tested with.

The package is not on PyPI, and 40 MB of WebAssembly do not belong into a wheel. npm fetches it once into the cache;
the few files that are served are unpacked from there, and both the package and every file are held to their hashes.

Source: https://onnxruntime.ai/docs/tutorials/web/ (MIT licence).
"""

from __future__ import annotations

import base64
import hashlib
import tarfile
from pathlib import Path

from gonogo.data.scan import cache_folder
from gonogo.errors import UsageError
from gonogo.files import new_folder, sha256

VERSION = "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# On the CPU, in WebAssembly with SIMD; also where several threads are asked for.
WASM = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
# On the GPU. This bundle asks for the build that can wait for it ("asyncify").
WEBGPU = {
    "ort.webgpu.min.mjs": "3dffff71811bc13a3a3d9591c57ca5ee5735b8f5f3eaf789510b02bb040ae3a0",
    "ort-wasm-simd-threaded.asyncify.mjs": "3d1c85995364bb643302fc6fd877a0c3ba5ae72401815e0f24828a53d9191e28",
    "ort-wasm-simd-threaded.asyncify.wasm": "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
}
MARKER = "ort.wasm.min.mjs"


def runtime_files() -> dict[str, bytes]:
    """Return the runtime's files by name, unpacked on the first call.

    Raises:
        UsageError: the package was not fetched, or is not the one that gonogo was tested with.
    """
    hashes = WASM | WEBGPU
    folder = cache_folder() / "web" / f"onnxruntime-web-{VERSION}"
    if not all((folder / name).is_file() and sha256(folder / name) == known for name, known in hashes.items()):
        _unpack(folder, hashes)
    return {name: (folder / name).read_bytes() for name in hashes}


def _unpack(folder: Path, hashes: dict[str, str]) -> None:
    package = folder.with_name(f"{folder.name}.tgz")
    command = f"mkdir -p '{package.parent}' && npm pack onnxruntime-web@{VERSION} --pack-destination '{package.parent}'"
    if not package.is_file():
        raise UsageError(f"the runtime of phones is not there ({package}); fetch it once: {command}")
    with package.open("rb") as stream:
        found = "sha512-" + base64.b64encode(hashlib.file_digest(stream, "sha512").digest()).decode("ascii")
    if found != INTEGRITY:
        raise UsageError(f"{package} is not onnxruntime-web {VERSION} (its hash differs); fetch it again: {command}")
    with new_folder(folder, force=True, marker=MARKER) as temporary, tarfile.open(package) as archive:
        for name in hashes:
            # Only these members are read, each into a file whose name is known here.
            member = archive.extractfile(f"package/dist/{name}")
            if member is None:
                raise UsageError(f"{package} lacks {name}; fetch it again: {command}")
            (temporary / name).write_bytes(member.read())
