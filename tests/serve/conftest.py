"""The runtime of phones lies in the user's cache, which no test touches: tests get a link to it in their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gonogo.data.scan import cache_folder
from gonogo.serve.phone.runtime import VERSION
from tests.helpers import skip

# Read before any test has a cache of its own.
USERS_CACHE = cache_folder()


def link_runtime(cache: Path) -> None:
    """Put the fetched package into a cache; skipped where nobody fetched it, but never in continuous integration."""
    package = USERS_CACHE / "web" / f"onnxruntime-web-{VERSION}.tgz"
    if not package.is_file():
        skip(f"no {package}; run scripts/install-web.sh")
    own = cache / "web" / package.name
    own.parent.mkdir(parents=True, exist_ok=True)
    if not own.exists():
        own.symlink_to(package)


@pytest.fixture(scope="session")
def runtime(_own_cache: None) -> None:
    """The runtime, fetched and unpacked."""
    link_runtime(Path(os.environ["GONOGO_CACHE"]))
