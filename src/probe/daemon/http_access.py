"""TLS, passwords and headers of the HTTP port: read again when their file, or a certificate, has changed."""

import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from probe import extras
from probe.config.errors import ConfigError, Problem
from probe.config.web_file import WebFile, load, refused
from probe.daemon.basic_auth import BasicAuth
from probe.daemon.http_message import Answer, Request
from probe.daemon.http_tls import UnusableError, context, is_allowed

# How often to look whether a file has changed, at most; it is checked when a client connects.
LOOK_S = 1.0


class Access:
    """TLS, passwords and headers of a port; without a file, none. Used in the server's thread."""

    def __init__(self, path: Path | None = None, now: Callable[[], float] = time.monotonic) -> None:
        """Read the file. Raises ConfigError."""
        self._path = path
        self._now = now
        self._looked = now()
        self._auth = BasicAuth()
        self._file = self._tried = WebFile()
        self._tls: ssl.SSLContext | None = None
        self._seen: object = None
        if path is not None:
            self._read(path)

    def renewed(self, complain: Callable[[str], None]) -> None:
        """Read the files again if they have changed. Those that are wrong change nothing, which is said once."""
        if self._path is None or self._now() - self._looked < LOOK_S:
            return
        self._looked = self._now()
        if (_stat(self._path), *_stats(self._path, self._tried)) == self._seen:
            return
        try:
            self._read(self._path)
        except Exception as error:  # noqa: BLE001 - whatever is in these files, the port goes on
            why = error if isinstance(error, ConfigError) else f"{self._path}: {type(error).__name__}"
            complain(f"the old settings stay in effect: {why}")

    def _read(self, path: Path) -> None:
        """Take over what is in the files. Raises ConfigError, with nothing taken over."""
        # Before it is read: what changes meanwhile is seen the next time.
        before = _stat(path)
        self._seen = before, *_stats(path, self._tried)
        # Also of files that are refused: a certificate that was missing may come.
        file = self._tried = load(path)
        self._seen = before, *_stats(path, file)
        if file == WebFile() != self._file:
            # Many programs empty a file before they write it.
            raise refused(path, [Problem((), "is empty; without TLS and passwords from the next start on only")])
        _check_packages(path, file)
        try:
            tls = context(file.tls_server_config, path.parent) if file.tls_server_config else None
        except UnusableError as error:
            raise refused(path, [error.problem]) from error
        if file.basic_auth_users != self._file.basic_auth_users:
            self._auth.forget()
        self._file, self._tls = file, tls

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The TLS context; None for plain HTTP."""
        return self._tls

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of every answer."""
        return self._file.http_server_config.headers

    def knows(self, certificate: dict[str, Any] | None) -> bool:
        """Whether a client may come in with this certificate, which TLS has verified."""
        tls = self._file.tls_server_config
        return tls is None or is_allowed(certificate, tls.client_allowed_sans)

    async def refusal(self, request: Request) -> Answer | None:
        """None where the request's user and password are right, or none are needed; else its answer."""
        return await self._auth.refusal(self._file.basic_auth_users, request.fields.get("authorization"))


def _check_packages(path: Path, file: WebFile) -> None:
    if not file.basic_auth_users:
        return
    try:
        import bcrypt  # noqa: F401, PLC0415 - without users it is not needed
    except ImportError as error:
        why = f"needs the package bcrypt: {extras.install('http')}"
        raise refused(path, [Problem(("basic_auth_users",), why)]) from error


def _stats(path: Path, file: WebFile) -> tuple[object, ...]:
    named = file.tls_server_config.files if file.tls_server_config else {}
    return tuple(_stat(path.parent / name) for name in named.values())


def _stat(path: Path) -> object:
    """What changes where a file is written or replaced, also where a link to it is."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
