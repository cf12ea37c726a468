"""A gauge served to a phone: other gauges made of one, a server in this process, a phone's browser."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from gonogo.export.onnx import sign
from gonogo.gauge.gauge import Gauge, GaugeFile, write_manifest
from gonogo.serve.phone.address import listen
from gonogo.serve.phone.bundle import LOOKED_AT_EVERY_S, Current
from gonogo.serve.phone.latency import Table
from gonogo.serve.phone.server import PhoneServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 14; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 "
    "Mobile Safari/537.36",
}
READY_MS = 20_000


def decided_otherwise(gauge: Path, out: Path, **changes: Any) -> Path:
    """Write a gauge with the same network and another decision (and so with another hash)."""
    opened = Gauge.load(gauge)
    facts = replace(opened.facts, decision=replace(opened.facts.decision, **changes))
    new = out.with_name(f".{out.name}.new")
    shutil.copytree(gauge, new)
    model = onnx.load(new / "model.onnx")
    sign(model, facts)
    onnx.save(model, new / "model.onnx")
    write_manifest(new, facts, [GaugeFile.of(new / "model.onnx", "onnxruntime", "fp32", 0.0)])
    if out.exists():
        shutil.rmtree(out)
    return new.rename(out)


@dataclass
class Serving:
    """A running server.

    Attributes:
        url: of the page.
        current: what it serves.
        table: its rows.
        notes: what it said meanwhile.
    """

    url: str
    current: Current
    table: Table
    notes: list[str]

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Ask for a path: status, headers in lower case, body."""
        return self.ask(urllib.request.Request(self.url + path))

    def post(self, path: str, body: bytes, kind: str = "application/json") -> tuple[int, dict[str, str], bytes]:
        """Post a body."""
        return self.ask(urllib.request.Request(self.url + path, body, {"Content-Type": kind}, method="POST"))

    def ask(self, request: urllib.request.Request) -> tuple[int, dict[str, str], bytes]:
        """Send a request; a refusal is an answer too."""
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, _lower(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _lower(error.headers), error.read()


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def serving(gauges: Sequence[Path], out: Path, threads: int = 1) -> Iterator[Serving]:
    """Serve gauges over http, to this machine alone, from a thread."""
    notes: list[str] = []
    current, table = Current(gauges, threads, notes.append), Table(out)
    with listen("127.0.0.1", 0) as listening:
        url = f"http://localhost:{listening.getsockname()[1]}/"
        server = PhoneServer(current, table, url, "everything works here", None).server()
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
        thread.start()
        try:
            yield Serving(url, current, table, notes)
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


@dataclass
class Phone:
    """A page in a phone's browser.

    Attributes:
        page: the page, ready.
        context: its browser context, with storage and network of its own.
        errors: what its console complained about, but for what a cut network says.
        elsewhere: addresses asked for that are not the server's.
    """

    page: Page
    context: BrowserContext
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def ready(self) -> None:
        """Wait until the gauge answers and the page is kept on the phone."""
        self.page.wait_for_selector("body[data-ready=kept]", timeout=READY_MS)

    def look(self) -> None:
        """Let the page ask the server now, which it does every few seconds by itself."""
        time.sleep(LOOKED_AT_EVERY_S)  # the server looks at the gauges no more often
        self.page.evaluate("dispatchEvent(new Event('online'))")

    def answers(self, photos: Sequence[Path]) -> list[list[dict[str, Any]]]:
        """Choose photos as a person does; return what was told of each, for each gauge, to the last digit."""
        self.page.locator("#clear").dispatch_event("click")
        self.page.set_input_files("#photos", [str(photo) for photo in photos])
        self.page.locator("#list li").nth(len(photos) - 1).wait_for(timeout=READY_MS)
        rows = self.page.locator("#list li").evaluate_all(
            "items => items.map(li => [...li.querySelectorAll('.tag')].map(t => t.dataset.told ?? "
            "JSON.stringify({error: t.dataset.error})))"
        )
        return [[json.loads(told) for told in row] for row in reversed(rows)]


@contextmanager
def phone(browser: Browser, url: str, **options: Any) -> Iterator[Phone]:
    """Open the page in a phone's browser and wait until it is ready."""
    context = browser.new_context(**PHONE | options)
    try:
        own = Phone(context.new_page(), context)
        own.page.on("console", lambda said: _hear(own, said.type, said.text))
        own.page.on("pageerror", lambda error: own.errors.append(str(error)))
        context.on("request", lambda asked: None if asked.url.startswith(url) else own.elsewhere.append(asked.url))
        own.page.goto(url)
        own.ready()
        yield own
    finally:
        context.close()


def _hear(own: Phone, kind: str, text: str) -> None:
    if kind == "error" and "ERR_INTERNET_DISCONNECTED" not in text:
        own.errors.append(text)
