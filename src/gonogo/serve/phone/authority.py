"""Certificates for a server in one's own network, from an authority of one's own.

Browsers give the camera, the offline page and its installation to https alone (localhost excepted), and no public
authority signs for 192.168.1.20. So this machine gets an authority of its own, which a phone is told to trust once.
Whoever has its key could speak for any site to that phone; therefore name constraints (RFC 5280, 4.2.1.10) limit it to
private addresses, ``.local`` names, localhost and this machine's own name and address.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gonogo.data.scan import cache_folder
from gonogo.errors import UsageError
from gonogo.files import atomic_file, check_writable

AUTHORITY_DAYS, SERVER_DAYS = 730, 397  # longer ones are refused by phones
RENEW_DAYS = 30
PRIVATE = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
)


@dataclass(frozen=True)
class Certificate:
    """Files for a server, PEM.

    Attributes:
        cert: the server's certificate, and those above it.
        key: its private key.
        authority: what a phone has to trust; None where the certificate was given.
    """

    cert: Path
    key: Path
    authority: Path | None


def own_certificate(hosts: Sequence[str]) -> Certificate:
    """Return a certificate for these names and addresses from the authority in the cache; both are made where missing.

    Args:
        hosts: all of them this machine's own.

    Raises:
        UsageError: the cache cannot be written.
    """
    folder = cache_folder() / "phone"
    check_writable(folder)
    authority, authority_key = _authority(folder, hosts)
    cert, key = folder / "server.pem", folder / "server-key.pem"
    if not _is_current(cert, key, hosts, authority):
        _write_server(cert, key, hosts, authority, authority_key)
    return Certificate(cert, key, folder / "authority.pem")


def given_certificate(cert: Path, key: Path) -> Certificate:
    """Return a certificate of the user's own.

    Raises:
        UsageError: a file is missing, is no PEM, or they do not belong together.
    """
    try:
        public = x509.load_pem_x509_certificate(cert.read_bytes()).public_key()
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}; give PEM files with --cert and --key") from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{cert} and {key} are not an unencrypted PEM certificate and its key ({error})") from error
    if public != private.public_key():
        raise UsageError(f"{key} is not the key of {cert}; give the two that belong together")
    return Certificate(cert, key, None)


def _authority(folder: Path, hosts: Sequence[str]) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    path, key_path = folder / "authority.pem", folder / "authority-key.pem"
    try:
        made = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        fits = key.public_key() == made.public_key() and _lasts(made) and all(_may_speak(made, host) for host in hosts)
        if fits and isinstance(key, ec.EllipticCurvePrivateKey):
            return made, key
    except (OSError, ValueError, x509.ExtensionNotFound):
        pass  # missing or damaged: a new one is made, which phones have to trust anew
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"gonogo on {socket.gethostname()}"[:64])])
    # Where a network gives public addresses to its machines, for this machine's own one and no other.
    permitted: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_network(net)) for net in PRIVATE]
    permitted += [x509.DNSName(own) for own in ("localhost", "local", socket.gethostname().lower())]
    permitted += [_limit(host) for host in hosts if not _is_within(permitted, host)]
    made = (
        _builder(name, name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_path, key)
    _write(path, made.public_bytes(serialization.Encoding.PEM))
    return made, key


def _limit(host: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_network(host)) if _is_address(host) else x509.DNSName(host)


def _may_speak(authority: x509.Certificate, host: str) -> bool:
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    return _is_within(limits.permitted_subtrees or [], host)


def _is_within(permitted: Sequence[x509.GeneralName], host: str) -> bool:
    if _is_address(host):
        address = ipaddress.ip_address(host)
        nets = [ipaddress.ip_network(str(one.value)) for one in permitted if isinstance(one, x509.IPAddress)]
        return any(address in net for net in nets)
    names = [one.value for one in permitted if isinstance(one, x509.DNSName)]
    return any(host == name or host.endswith(f".{name}") for name in names)


def _write_server(
    cert: Path, key_path: Path, hosts: Sequence[str], authority: x509.Certificate, by: ec.EllipticCurvePrivateKey
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gonogo phone")])
    names: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(host)) if _is_address(host) else x509.DNSName(host) for host in hosts
    ]
    made = (
        _builder(name, authority.subject, key, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .sign(by, hashes.SHA256())
    )
    _write_key(key_path, key)
    pem = serialization.Encoding.PEM
    _write(cert, made.public_bytes(pem) + authority.public_bytes(pem))


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    # A phone's clock may be behind.
    return builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=days - 1))


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _is_current(cert: Path, key: Path, hosts: Sequence[str], authority: x509.Certificate) -> bool:
    try:
        made = x509.load_pem_x509_certificate(cert.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        made.verify_directly_issued_by(authority)
    except Exception:  # missing, damaged or of another authority: a new one costs nothing and no phone minds
        return False
    spoken = {str(name.value) for name in names}
    return set(hosts) <= spoken and private.public_key() == made.public_key() and _lasts(made)


def _lasts(made: x509.Certificate) -> bool:
    return made.not_valid_after_utc > datetime.now(UTC) + timedelta(days=RENEW_DAYS)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    _write(path, key.private_bytes(pem, form, serialization.NoEncryption()), mode=0o600)


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    with atomic_file(path) as temporary:
        temporary.chmod(0o600)  # before anything secret is in it
        temporary.write_bytes(content)
    os.chmod(path, mode)  # noqa: PTH101
