"""``gonogo phone`` from the request to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gonogo.errors import UsageError
from gonogo.serve.phone.address import ANYWHERE, is_this_machine, listen, names_of, url_of
from gonogo.serve.phone.authority import Certificate, given_certificate, own_certificate
from gonogo.serve.phone.bundle import Current
from gonogo.serve.phone.latency import Table
from gonogo.serve.phone.server import PhoneServer, qr_text

MOST_GAUGES = 2
HTTPS_PORT, HTTP_PORT = 8443, 8080
ALL = "camera, photos, offline and installing"


@dataclass(frozen=True)
class PhoneRequest:
    """What is served, and how.

    Attributes:
        gauges: one, or two to compare.
        out: CSV file of latencies.
        host: name or address to listen at; None for everywhere, over http for this machine alone.
        port: None for 8443, over http for 8080.
        http: without encryption, for localhost or behind something that encrypts.
        cert: PEM of one's own certificate; None for one of this machine's own authority.
        key: its key.
        threads: of the runtime on the phone, at most.
    """

    gauges: tuple[Path, ...]
    out: Path = Path("phone-latency.csv")
    host: str | None = None
    port: int | None = None
    http: bool = False
    cert: Path | None = None
    key: Path | None = None
    threads: int = 1


@dataclass(frozen=True)
class Announcement:
    """What people need to know when it starts.

    Attributes:
        url: what the phone opens.
        desk: the page with the QR code and the table.
        qr: the QR code as text.
        works: what works in this way of serving.
        gauges: name, size in bytes and hash of each.
        version: of all that is served.
    """

    url: str
    desk: str
    qr: str
    works: str
    gauges: tuple[dict[str, Any], ...]
    version: str


def serve(
    request: PhoneRequest,
    announce: Callable[[Announcement], None],
    note: Callable[[str], None],
    *,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Serve gauges to phones until Ctrl-C.

    Args:
        request: what and how.
        announce: called once, when phones can come.
        note: called with each line the user should know while it runs.
        dry_run: check everything, announce and end.

    Returns:
        What ``gonogo phone --json`` prints.

    Raises:
        UsageError: options that do not go together, a port in use, a runtime that was not fetched, a file that is no
            table of latencies.
        GaugeError: a gauge that cannot be opened, or has no ONNX file.
    """
    _check(request)
    table = Table(request.out)
    current = Current(request.gauges, request.threads, note)
    host = request.host or ("localhost" if request.http else ANYWHERE[0])
    names = names_of(host)
    with listen(host, _port(request)) as listening:
        certificate = _certificate(request, names)
        port = int(listening.getsockname()[1])
        url = url_of("http" if request.http else "https", names[0], port)
        works = _works(request, names[0], certificate)
        authority = None if certificate is None else certificate.authority
        server = PhoneServer(current, table, url, works, authority)
        bundle = current.bundle()
        told = [
            {name: gauge[name] for name in ("name", "sha256", "size_bytes", "precision")} for gauge in bundle.gauges
        ]
        announce(Announcement(url, f"{url}desk", qr_text(url), works, tuple(told), bundle.version))
        if not dry_run:
            files = None if certificate is None else (certificate.cert, certificate.key)
            asyncio.run(server.server(files).serve(sockets=[listening]))
    rows = [asdict(row) for row in table.rows]
    return {"url": url, "gauges": told, "version": current.bundle().version, "out": str(request.out), "rows": rows}


def _check(request: PhoneRequest) -> None:
    if not 1 <= len(request.gauges) <= MOST_GAUGES:
        raise UsageError(f"{len(request.gauges)} gauges, expected one, or two to compare side by side")
    if (request.cert is None) != (request.key is None):
        raise UsageError("a certificate needs its key and a key its certificate; give both --cert and --key")
    if request.http and request.cert is not None:
        raise UsageError("--http has no use for a certificate; leave out either --http or --cert and --key")


def _port(request: PhoneRequest) -> int:
    return request.port if request.port is not None else HTTP_PORT if request.http else HTTPS_PORT


def _certificate(request: PhoneRequest, names: list[str]) -> Certificate | None:
    if request.http:
        return None
    if request.cert is not None and request.key is not None:
        return given_certificate(request.cert, request.key)
    return own_certificate(names)


def _works(request: PhoneRequest, host: str, certificate: Certificate | None) -> str:
    """Say plainly what a phone can do in this way of serving."""
    if certificate is not None and certificate.authority is None:
        return f"{ALL} work where the phone trusts the certificate given"
    if certificate is not None:
        return (
            "photos and camera work after the browser's warning; offline and installing once the phone trusts this "
            "machine's authority (the page says how)"
        )
    if is_this_machine(host):
        return (
            f"{ALL} work in this machine's own browser, on an Android phone after 'adb reverse tcp:{_port(request)} "
            f"tcp:{_port(request)}' at the same address, and behind something that adds https"
        )
    return (
        "photos alone work: browsers give camera, offline and installing to https; leave out --http, or put something "
        "that adds https before it"
    )
