"""Where a server can be reached from a phone, and a port to listen at."""

from __future__ import annotations

import errno
import ipaddress
import socket

from gonogo.errors import UsageError

ANYWHERE = ("0.0.0.0", "::")
# Reserved for documentation (RFC 5737): asking for the way there sends nothing.
ELSEWHERE = ("192.0.2.1", 9)


def own_address() -> str:
    """Return this machine's address in its network; 127.0.0.1 where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(ELSEWHERE)
            return str(asking.getsockname()[0])
        except OSError:
            pass  # no way out of this network: its name may still tell
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    except socket.gaierror:
        return "127.0.0.1"
    addresses = [str(entry[4][0]) for entry in found]
    return next((one for one in addresses if not ipaddress.ip_address(one).is_loopback), "127.0.0.1")


def names_of(host: str) -> list[str]:
    """Return every name and address a phone may use for a server that listens at `host`, the best one first."""
    own = socket.gethostname().lower()
    local = ["localhost", "127.0.0.1"]
    if host in ANYWHERE:
        address = own_address()
        return list(dict.fromkeys([address, f"{own.partition('.')[0]}.local", own, *local]))
    return list(dict.fromkeys([host, *local]))


def is_this_machine(host: str) -> bool:
    """Say whether a browser takes the host for its own machine, where it needs no https."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: a name or an address of this machine.
        port: 0 for any that is free.

    Raises:
        UsageError: the port is in use or not ours to take, or the host is not this machine's.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise UsageError(
            f"--host {host} is unknown here ({error.strerror}); leave it out to listen everywhere"
        ) from None
    listening = socket.socket(family, kind, number)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port} is in use; take a free one: --port {_free_port(host)}") from None
        if error.errno == errno.EACCES:
            raise UsageError(
                f"port {port} needs the rights of root; give one from 1024 on, such as --port 8443"
            ) from None
        raise UsageError(f"cannot listen at {host}, port {port}: {error.strerror}; see --host and --port") from None
    return listening


def _free_port(host: str) -> int:
    with listen(host, 0) as found:
        return int(found.getsockname()[1])


def url_of(scheme: str, host: str, port: int) -> str:
    """Return an address to type, without a port that goes without saying."""
    shown = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{shown}/" if port == usual else f"{scheme}://{shown}:{port}/"
