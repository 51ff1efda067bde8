"""The TLS context of the HTTP port, made from its file."""

import ssl
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from probe.config.errors import Problem
from probe.config.files import read_small
from probe.config.web_file import TlsServer

_SECTION = "tls_server_config"
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class UnusableError(Exception):
    """A file that the settings name can't be used."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.problem = Problem((_SECTION, key), why)


def context(settings: TlsServer, folder: Path) -> ssl.SSLContext:
    """Read the certificates; relative paths start at `folder`. Raises UnusableError."""
    for key, name in settings.files.items():
        _readable(key, folder / name)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = _VERSIONS[settings.min_version]
    made.maximum_version = _VERSIONS[settings.max_version]
    if settings.prefer_server_cipher_suites:
        made.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    made.set_alpn_protocols(["http/1.1"])
    try:
        # A key with a passphrase would ask for it on the terminal.
        made.load_cert_chain(folder / settings.cert_file, folder / settings.key_file, password=_no_passphrase)
    except (OSError, ValueError) as error:
        raise UnusableError("key_file", f"is not the plain PEM key of the certificate: {_reason(error)}") from error
    if settings.client_ca_file is not None:
        try:
            made.load_verify_locations(folder / settings.client_ca_file)
        except OSError as error:
            raise UnusableError("client_ca_file", f"has no certificates in PEM: {_reason(error)}") from error
    made.verify_mode = _CLIENTS[settings.client_auth_type]
    return made


def is_allowed(certificate: dict[str, Any] | None, names: Collection[str]) -> bool:
    """Whether a client's certificate has one of these subject alternative names, if there are any to have."""
    if not names or not certificate:
        return True
    found: Iterable[tuple[str, str]] = certificate.get("subjectAltName", ())
    return any(name in names for _, name in found)


def _readable(key: str, path: Path) -> None:
    try:
        read_small(path)
    except OSError as error:
        raise UnusableError(key, f"{path} can't be read: {error.strerror}") from error


def _no_passphrase() -> bytes:
    raise ValueError("it has a passphrase")


def _reason(error: Exception) -> str:
    return (error.reason or "unreadable").lower().replace("_", " ") if isinstance(error, ssl.SSLError) else str(error)
