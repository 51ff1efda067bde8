"""TLS and passwords at the daemon's port, with real certificates and clients."""

import base64
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import bcrypt
import pytest
import trustme
import yaml
from service import PATIENCE_S, refused, write_config

from probe.config.errors import ConfigError
from probe.config.web_file import WebFile
from probe.daemon import basic_auth, http_access
from probe.daemon.http_access import Access
from probe.daemon.http_server import HttpServer, plain

PASSWORD = "open sesame"  # noqa: S105 - of these tests
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
TLS = {"cert_file": "server.pem", "key_file": "server.key"}
VERIFIED = {**TLS, "client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.pem"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def folder(tmp_path: Path, authority: trustme.CA) -> Path:
    issue(authority, tmp_path)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path


def issue(authority: trustme.CA, folder: Path) -> bytes:
    """A new certificate for the server; return it as clients see it."""
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "server.key"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


def written(folder: Path, **settings: object) -> Path:
    path = folder / "web.yml"
    path.write_text(yaml.safe_dump(settings))
    return path


@contextmanager
def served(path: Path, complaints: list[str] | None = None) -> Iterator[int]:
    said = [] if complaints is None else complaints
    pages = {"/": lambda _: plain(HTTPStatus.OK, "here")}
    http = HttpServer("127.0.0.1", 0, pages, said.append, access=Access(path))
    http.start()
    try:
        yield http.port
    finally:
        http.close()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def status(port: int, context: ssl.SSLContext | None = None, authorization: str = "") -> int:
    connection = (
        HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        if context is None
        else HTTPSConnection("127.0.0.1", port, timeout=PATIENCE_S, context=context)
    )
    try:
        connection.request("GET", "/", headers={"Authorization": authorization} if authorization else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("version", ["TLS12", "TLS13"])
def test_it_is_encrypted(authority: trustme.CA, folder: Path, version: str) -> None:
    path = written(folder, tls_server_config={**TLS, "min_version": version, "max_version": version})
    with served(path) as port:
        assert status(port, trusting(authority)) == 200
        with pytest.raises((ConnectionError, OSError)):
            status(port)
        assert status(port, trusting(authority)) == 200


def test_an_older_version_is_refused(authority: trustme.CA, folder: Path) -> None:
    older = trusting(authority)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        served(written(folder, tls_server_config={**TLS, "min_version": "TLS13"})) as port,
        pytest.raises(ssl.SSLError),
    ):
        status(port, older)


def test_clients_show_a_certificate(authority: trustme.CA, folder: Path) -> None:
    known, other = trusting(authority), trusting(authority)
    authority.issue_cert("prometheus.example.org").configure_cert(known)
    authority.issue_cert("other.example.org").configure_cert(other)
    with served(written(folder, tls_server_config=VERIFIED)) as port:
        assert [status(port, each) for each in (known, other)] == [200, 200]
        with pytest.raises((ssl.SSLError, ConnectionError)):
            status(port, trusting(authority))
    named = {**VERIFIED, "client_allowed_sans": ["prometheus.example.org"]}
    with served(written(folder, tls_server_config=named)) as port:
        assert [status(port, each) for each in (known, other)] == [200, 403]


def test_idle_clients_of_tls_keep_nobody_out(authority: trustme.CA, folder: Path) -> None:
    with served(written(folder, tls_server_config=TLS)) as port, ExitStack() as crowd:
        for _ in range(40):
            crowd.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))
        assert [status(port, trusting(authority)) for _ in range(3)] == [200] * 3


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basic_auth, "PAUSE_S", 0.0)


@pytest.mark.usefixtures("_no_pause")
def test_a_password_is_needed(folder: Path) -> None:
    with served(written(folder, basic_auth_users={"prometheus": HASH})) as port:
        assert [
            status(port),
            status(port, authorization=basic("prometheus", "wrong")),
            status(port, authorization=basic("somebody", PASSWORD)),
            status(port, authorization="Basic !!!"),
            status(port, authorization="Bearer x"),
            status(port, authorization=basic("prometheus", "\0" + "x" * 100)),
        ] == [401] * 6
        assert [status(port, authorization=basic("prometheus", PASSWORD)) for _ in range(2)] == [200, 200]


@pytest.mark.usefixtures("_no_pause")
def test_a_password_is_checked_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []
    truly = basic_auth._matches

    def counted(hashed: bytes, password: bytes) -> bool:
        checked.append(password)
        return truly(hashed, password)

    monkeypatch.setattr(basic_auth, "_matches", counted)
    with served(written(folder, basic_auth_users={"prometheus": HASH})) as port:
        for password in (PASSWORD, "wrong") * 5:
            status(port, authorization=basic("prometheus", password))
    assert sorted(checked) == [PASSWORD.encode(), b"wrong"]


@pytest.mark.usefixtures("_no_pause")
def test_who_guesses_the_password_of_unknown_users_stays_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basic_auth, "_UNKNOWN_USER", HASH.encode())
    with served(written(folder, basic_auth_users={"prometheus": HASH})) as port:
        assert [status(port, authorization=basic("somebody", PASSWORD)) for _ in range(3)] == [401] * 3


def test_headers_of_the_file_are_in_every_answer(folder: Path) -> None:
    path = written(folder, http_server_config={"http2": True, "headers": {"X-Frame-Options": "deny"}})
    with served(path) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request("GET", "/none")
        assert connection.getresponse().getheader("X-Frame-Options") == "deny"
        connection.close()


def certificate_at(port: int) -> bytes:
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=PATIENCE_S))


def test_a_renewed_certificate_is_used(authority: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_access, "LOOK_S", 0.0)
    complaints: list[str] = []
    with served(written(folder, tls_server_config=TLS), complaints) as port:
        before = certificate_at(port)
        good = (folder / "server.key").read_bytes()
        (folder / "server.key").write_bytes(b"half a")
        assert [certificate_at(port) for _ in range(3)] == [before] * 3
        (folder / "server.key").write_bytes(good)
        renewed = issue(authority, folder)
        assert certificate_at(port) == renewed != before
    (said,) = complaints
    assert said.startswith("the old settings stay in effect:")
    assert f"{folder / 'web.yml'}: tls_server_config.key_file: is not the plain PEM key" in said


def test_a_changed_file_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_access, "LOOK_S", 0.0)
    with served(written(folder, basic_auth_users={"a": HASH})) as port:
        assert status(port, authorization=basic("a", PASSWORD)) == 200
        written(folder, basic_auth_users={"bb": HASH})
        assert status(port, authorization=basic("a", PASSWORD)) == 401
        assert status(port, authorization=basic("bb", PASSWORD)) == 200


@pytest.mark.usefixtures("_no_pause")
def test_a_file_that_is_about_to_be_written_opens_no_door(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_access, "LOOK_S", 0.0)
    complaints: list[str] = []
    path = written(folder, basic_auth_users={"a": HASH})
    with served(path, complaints) as port:
        path.write_text("")
        assert [status(port), status(port, authorization=basic("a", PASSWORD))] == [401, 200]
        written(folder, basic_auth_users={"bb": HASH})
        assert [status(port), status(port, authorization=basic("bb", PASSWORD))] == [401, 200]
    (said,) = complaints
    assert said.startswith(f"the old settings stay in effect: {path}: is empty")


def test_a_certificate_that_comes_after_the_file_that_names_it_is_used(
    authority: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_access, "LOOK_S", 0.0)
    complaints: list[str] = []
    with served(written(folder), complaints) as port:
        (folder / "server.pem").rename(folder / "later.pem")
        written(folder, tls_server_config=TLS)
        assert [status(port) for _ in range(2)] == [200, 200]
        (folder / "later.pem").rename(folder / "server.pem")
        assert status(port, trusting(authority)) == 200
    (said,) = complaints
    assert said.endswith("server.pem can't be read: No such file or directory")


def test_whatever_is_in_the_file_the_port_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_path: Path) -> WebFile:
        raise TypeError

    monkeypatch.setattr(http_access, "LOOK_S", 0.0)
    complaints: list[str] = []
    with served(written(folder), complaints) as port:
        monkeypatch.setattr(http_access, "load", breaks)
        path = written(folder, basic_auth_users={"a": HASH})
        assert [status(port) for _ in range(2)] == [200, 200]
    assert complaints == [f"the old settings stay in effect: {path}: TypeError"]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (
            {"tls_server_config": {**TLS, "cert_file": "none.pem"}},
            "tls_server_config.cert_file: {folder}/none.pem can't",
        ),
        ({"tls_server_config": {**TLS, "key_file": "ca.pem"}}, "tls_server_config.key_file: is not the plain PEM key"),
        ({"tls_server_config": {**VERIFIED, "client_ca_file": "server.key"}}, "client_ca_file: has no certificates"),
    ],
)
def test_what_can_not_be_used_is_an_error_with_its_key(
    folder: Path, settings: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        Access(written(folder, **settings))
    assert complaint.format(folder=folder) in str(raised.value)


@pytest.mark.parametrize("command", [["check-config"], ["daemon", "--config"]])
async def test_commands_report_it(folder: Path, command: list[str]) -> None:
    web = written(folder, tls_server_config={**TLS, "cipher_suites": []}, basic_auth_user={"a": HASH})
    config = write_config(folder, "ws://127.0.0.1:1/ws", "ws://127.0.0.1:1/ws")
    config.write_text(config.read_text().replace("[http]", f'[http]\nweb_config_file = "{web}"'))
    code, said = await refused([*command, str(config)])
    assert code == 2
    assert f"{web}: tls_server_config.cipher_suites: is not supported by the probe" in said
    assert f"{web}: basic_auth_user: unknown key; did you mean basic_auth_users?" in said
    assert HASH not in said
