"""The file of TLS and basic authentication: the format of Prometheus' exporter-toolkit (`web.config.file`)."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

from msgspec import field, structs

from probe import extras
from probe.config.base import PathText, Text
from probe.config.errors import ConfigError, Problem, dotted
from probe.config.files import read_small
from probe.config.leaf import Secret
from probe.config.section import Section, read

# An alias may stand for itself, or for more than memory holds.
_MOST_VALUES = 10_000
# What `htpasswd -B` and others write: a version, a cost, 53 characters of salt and hash.
_BCRYPT = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}")
_COSTS = range(4, 17)
_CLIENTS = {
    "NoClientCert": "",
    "VerifyClientCertIfGiven": "",
    "RequireAndVerifyClientCert": "",
    "RequestClientCert": "a certificate that is not verified",
    "RequireAnyClientCert": "a certificate that is not verified",
}
_VERSIONS = {"TLS12": "", "TLS13": "", "TLS11": "a version that is broken", "TLS10": "a version that is broken"}
_HEADERS = (
    "Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options",
    "X-XSS-Protection",
)  # fmt: skip


def _not_supported(_value: Any) -> Any:
    raise ValueError("is not supported by the probe: remove it")


def _client(text: str) -> str:
    return _known(text, _CLIENTS)


def _version(text: str) -> str:
    return _known(text, _VERSIONS)


def _known(text: str, words: dict[str, str]) -> str:
    """The word. Raises ValueError for an unknown one, and for one whose meaning the probe does not support."""
    good = " or ".join(word for word, why in words.items() if not why)
    if text not in words:
        raise ValueError(f"should be {good}")
    if why := words[text]:
        raise ValueError(f"{text} is not supported by the probe ({why}): {good}")
    return text


def _bcrypt(hashed: Secret) -> Secret:
    found = _BCRYPT.fullmatch(hashed.reveal())
    if found is None:
        raise ValueError("should be the bcrypt hash of a password, as `htpasswd -nBC 10 USER` prints it")
    if int(found[1]) not in _COSTS:
        raise ValueError(f"a bcrypt cost of {found[1]} takes too long or is none; 10 is usual")
    return hashed


def _header(name: str) -> str:
    if name not in _HEADERS:
        raise ValueError(f"should be one of {', '.join(_HEADERS)}")
    return name


def _one_line(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise ValueError("should be one line of ASCII")
    return text


NotSupported = Annotated[Any, _not_supported]


class TlsServer(Section, frozen=True, kw_only=True):
    """`tls_server_config`. Relative paths start at the folder of the file."""

    cert_file: PathText
    key_file: PathText
    client_auth_type: Annotated[str, _client] = "NoClientCert"
    client_ca_file: PathText | None = None
    client_allowed_sans: list[Text] = field(default_factory=list)
    min_version: Annotated[str, _version] = "TLS12"
    max_version: Annotated[str, _version] = "TLS13"
    prefer_server_cipher_suites: bool = True
    cert: NotSupported = None
    key: NotSupported = None
    client_ca: NotSupported = None
    cipher_suites: NotSupported = None
    curve_preferences: NotSupported = None

    @property
    def files(self) -> dict[str, str]:
        """The files that it names, by their key."""
        named = {"cert_file": self.cert_file, "key_file": self.key_file, "client_ca_file": self.client_ca_file}
        return {key: name for key, name in named.items() if name is not None}

    def contradiction(self, given: Collection[str]) -> str | None:
        del given
        if self.min_version > self.max_version:
            return f"min_version ({self.min_version}) is over max_version ({self.max_version})"
        asks, has = self.client_auth_type != "NoClientCert", self.client_ca_file is not None
        if asks and not has:
            return f"client_auth_type: {self.client_auth_type} needs a client_ca_file"
        if not asks and (has or self.client_allowed_sans):
            return "client_ca_file and client_allowed_sans need client_auth_type: RequireAndVerifyClientCert"
        return None


class HttpServerSettings(Section, frozen=True, kw_only=True):
    """`http_server_config`. The port speaks HTTP/1.1 whatever `http2` says, and every client can."""

    http2: bool = True
    headers: dict[Annotated[str, _header], Annotated[Text, _one_line]] = field(default_factory=dict)


class WebFile(Section, frozen=True, kw_only=True):
    """The whole file."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServerSettings = HttpServerSettings()
    basic_auth_users: dict[Text, Annotated[Secret, _bcrypt]] = field(default_factory=dict)
    rate_limit: NotSupported = None


def load(path: Path) -> WebFile:
    """Read the file. Raises ConfigError with everything that is wrong in it, each with its key."""
    found: list[Problem] = []
    file: WebFile = read(WebFile, _document(path), (), found)
    if found:
        raise refused(path, found)
    return file


def refused(path: Path, problems: Collection[Problem]) -> ConfigError:
    """The error that names the file and each key. Values are left out: they may be hashes."""
    plain = [structs.replace(each, value=None, shown=False) for each in problems]
    return ConfigError((f"{path}: {dotted(each.key)}" if each.key else str(path), each) for each in plain)


def _document(path: Path) -> Any:
    try:
        import yaml  # noqa: PLC0415 - who has no such file needs no YAML
    except ImportError as error:
        why = f"needs the package pyyaml: {extras.install('http')}"
        raise refused(path, [Problem((), why)]) from error
    try:
        return _checked(yaml.safe_load(read_small(path)) or {})
    except OSError as error:
        raise refused(path, [Problem((), f"can't be read: {error.strerror}")]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise refused(path, [Problem((), f"is not YAML{where}")]) from error
    except _OddError as error:
        raise refused(path, [Problem((), str(error))]) from error


class _OddError(Exception):
    """The document is YAML, and nothing that such a file has."""


def _checked(document: Any) -> Any:
    """The document, where all its keys are text and its values are few. Raises _OddError."""
    left, seen = [document], 0
    while left:
        value = left.pop()
        seen += 1
        if seen > _MOST_VALUES:
            raise _OddError(f"has over {_MOST_VALUES} values")
        if isinstance(value, dict):
            if strange := [key for key in value if not isinstance(key, str)]:
                raise _OddError(f"has the key {strange[0]!r}, which is not text: put it in quotes")
            left += value.values()
        elif isinstance(value, list):
            left += value
    return document
