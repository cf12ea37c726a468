"""The server: the page whole, the latencies that phones post, and a table of them for the desk."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import segno
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gonogo.errors import DataError, GonogoError
from gonogo.serve.phone.bundle import DESK, Asset, Bundle, Current, page_file
from gonogo.serve.phone.latency import MOST_BODY_BYTES, Table, read_row

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    # Without these two no thread shares memory, and clocks are coarse.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
NEW_EACH_TIME, FOR_EVER = "no-cache", "public, max-age=31536000, immutable"
LEAVING_S = 1  # that open connections have when the server ends


class PhoneServer:
    """Answers phones and the desk.

    Args:
        current: what is served.
        table: where latencies go.
        url: what a phone opens.
        works: what works for a phone in this way of serving, for the desk.
        authority: the certificate that a phone has to trust, PEM; None where there is none.
    """

    def __init__(self, current: Current, table: Table, url: str, works: str, authority: Path | None) -> None:
        self._current, self._table, self._url, self._works, self._authority = current, table, url, works, authority

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/sw.js", self._service_worker),
                Route("/version", self._version),
                Route("/b/{version}/{path:path}", self._asset),
                Route("/latency", self._put_latency, methods=["POST"]),
                Route("/desk", self._desk_page),
                Route("/desk/table", self._desk_table),
                Route("/desk/qr.svg", self._qr),
                Route("/desk/{name}", self._desk_file),
                Route("/authority.crt", self._authority_file),
                Route("/favicon.ico", self._icon),
            ]
        )

    def server(self, certificate: tuple[Path, Path] | None = None) -> uvicorn.Server:
        """Return what serves it until Ctrl-C, SIGTERM or its `should_exit`.

        Args:
            certificate: files of the certificate and its key; None for http.
        """
        cert, key = certificate or (None, None)
        config = uvicorn.Config(
            self.app(),
            ssl_certfile=cert,
            ssl_keyfile=key,
            http="h11",
            ws="none",
            lifespan="off",
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=LEAVING_S,
        )
        return _Ending(config)

    async def _bundle(self) -> Bundle:
        return await run_in_threadpool(self._current.bundle)

    async def _page(self, request: Request) -> Response:
        return _send(request, (await self._bundle()).assets["index.html"], NEW_EACH_TIME)

    async def _icon(self, request: Request) -> Response:
        return _send(request, (await self._bundle()).assets["icon-192.png"], NEW_EACH_TIME)

    async def _service_worker(self, request: Request) -> Response:
        return _send(request, (await self._bundle()).service_worker, NEW_EACH_TIME)

    async def _version(self, _: Request) -> Response:
        bundle = await self._bundle()
        has_authority = self._authority is not None
        values = {"version": bundle.version, "problem": self._current.problem, "authority": has_authority}
        return _json(values)

    async def _asset(self, request: Request) -> Response:
        version, path = request.path_params["version"], request.path_params["path"]
        bundle = await run_in_threadpool(self._current.of_version, version)
        if bundle is None or path not in bundle.assets:
            return _json({"error": f"there is no {path} of version {version}"}, 404)
        return _send(request, bundle.assets[path], FOR_EVER)

    async def _put_latency(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _json({"error": "expected application/json"}, 415)
        try:
            body = b""
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_BODY_BYTES:
                    return _json({"error": f"more than {MOST_BODY_BYTES} bytes"}, 413)
        except ClientDisconnect:
            return _json({"error": "the phone has left"}, 400)
        try:
            await run_in_threadpool(self._table.put, read_row(body))
        except DataError as error:
            return _json({"error": str(error)}, 422)
        except (GonogoError, OSError) as error:  # the file: the phone keeps its row and tries again
            return _json({"error": str(error)}, 503)
        return _json({"rows": len(self._table.rows)})

    async def _desk_page(self, request: Request) -> Response:
        return _send(request, Asset.of("desk.html", page_file("desk.html")), NEW_EACH_TIME)

    async def _desk_file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in DESK:
            return _json({"error": f"there is no {name}"}, 404)
        return _send(request, Asset.of(name, page_file(name)), NEW_EACH_TIME)

    async def _desk_table(self, _: Request) -> Response:
        bundle = await self._bundle()
        values: dict[str, Any] = {
            "url": self._url,
            "works": self._works,
            "authority": self._authority is not None,
            "file": str(self._table.path),
            "problem": self._current.problem,
            "version": bundle.version,
            "gauges": [{name: gauge[name] for name in ("name", "sha256", "size_bytes")} for gauge in bundle.gauges],
            "rows": [asdict(row) for row in self._table.rows],
        }
        return _json(values)

    async def _qr(self, request: Request) -> Response:
        return _send(request, Asset(qr_svg(self._url), "image/svg+xml", None), NEW_EACH_TIME)

    async def _authority_file(self, request: Request) -> Response:
        if self._authority is None:
            return _json({"error": "this server has no authority of its own"}, 404)
        asset = Asset(self._authority.read_bytes(), "application/x-x509-ca-cert", None)
        return _send(request, asset, NEW_EACH_TIME, {"Content-Disposition": 'attachment; filename="gonogo.crt"'})


def _send(request: Request, asset: Asset, keeping: str, more: Mapping[str, str] | None = None) -> Response:
    headers = {**HEADERS, **(more or {}), "Cache-Control": keeping, "Vary": "Accept-Encoding"}
    if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, 200, {**headers, "Content-Encoding": "gzip"}, asset.media_type)
    return Response(asset.body, 200, headers, asset.media_type)


def _json(values: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(values, status, {**HEADERS, "Cache-Control": "no-store"})


def qr_svg(url: str) -> bytes:
    """Return the QR code of an address as SVG, black on white whatever the page's colours."""
    drawn = io.BytesIO()
    segno.make(url, error="m").save(drawn, kind="svg", scale=8, border=3, light="#fff", xmldecl=False)
    return drawn.getvalue()


def qr_text(url: str) -> str:
    """Return the QR code of an address in half blocks, for a terminal."""
    drawn = io.StringIO()
    segno.make(url, error="l").terminal(out=drawn, border=2, compact=True)
    return drawn.getvalue()


class _Ending(uvicorn.Server):
    """Ends at Ctrl-C and SIGTERM as at the end of its work, without raising them once more."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        try:
            known = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: whoever started it ends it
            yield
            return
        try:
            yield
        finally:
            for number, handler in known.items():
                signal.signal(number, handler)
