"""The file of TLS and passwords: what it may say, and how what it may not is reported."""

from pathlib import Path

import pytest

from probe.config.errors import ConfigError
from probe.config.files import MAX_BYTES
from probe.config.web_file import WebFile, load

HASH = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
TLS = "tls_server_config:\n  cert_file: c\n  key_file: k\n  "


def errors(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "web.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(path)
    lines = str(raised.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    assert all(each.value is None for each in raised.value.problems)
    return [line.removeprefix(f"{path}: ") for line in lines]


def test_an_empty_file_is_a_port_in_plain_text(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("# nothing yet\n")
    assert load(path) == WebFile()


def test_all_that_is_supported(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(f"""
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example.org]
  min_version: TLS12
  max_version: TLS13
  prefer_server_cipher_suites: false
http_server_config:
  http2: false
  headers: {{X-Frame-Options: deny}}
basic_auth_users:
  prometheus: {HASH}
""")
    file = load(path)
    assert file.tls_server_config is not None
    assert file.tls_server_config.files == {
        "cert_file": "server.pem", "key_file": "server.key", "client_ca_file": "ca.pem"
    }  # fmt: skip
    assert file.basic_auth_users["prometheus"].reveal() == HASH
    assert HASH not in repr(file)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tls_server_config: {cert_file: c}", "tls_server_config.key_file: is missing"),
        (TLS + "curve_preferences: [X25519]", "tls_server_config.curve_preferences: is not supported by the probe"),
        (TLS + "cert: inline", "tls_server_config.cert: is not supported by the probe"),
        (TLS + "min_version: TLS11", "tls_server_config.min_version: TLS11 is not supported by the probe (a version"),
        (TLS + "min_version: SSL3", "tls_server_config.min_version: should be TLS12 or TLS13"),
        (TLS + "min_version: TLS13\n  max_version: TLS12", "tls_server_config: min_version (TLS13) is over"),
        (TLS + "client_auth_type: RequireAnyClientCert", "client_auth_type: RequireAnyClientCert is not supported"),
        (TLS + "client_auth_type: VerifyClientCertIfGiven", "needs a client_ca_file"),
        (TLS + "client_ca_file: ca", "need client_auth_type: RequireAndVerifyClientCert"),
        (TLS + "certfile: x", "tls_server_config.certfile: unknown key; did you mean cert_file?"),
        ("rate_limit: {burst: 1}", "rate_limit: is not supported"),
        ("basic_auth_users: {a: secret}", "basic_auth_users.a: should be the bcrypt hash of a password"),
        ("basic_auth_users: {a: " + HASH.replace("$10$", "$31$") + "}", "basic_auth_users.a: a bcrypt cost of 31"),
        ("http_server_config: {headers: {Server: x}}", "http_server_config.headers.Server: should be one of"),
        ('http_server_config: {headers: {X-Frame-Options: "a\\r\\nb"}}', "should be one line of ASCII"),
        ("a: [", "is not YAML, line 1"),
        ("- a", "should be"),
        ("x" * (MAX_BYTES + 1), "can't be read: larger than 1 MiB"),
        ("1: 2", "has the key 1, which is not text: put it in quotes"),
        ("&a {tls_server_config: *a}", "has over 10000 values"),
        ("rate_limit: &a [*a]", "has over 10000 values"),
        ('tls_server_config: {cert_file: "a\\0b", key_file: k}', "tls_server_config.cert_file: should be a path"),
    ],
)
def test_what_is_wrong_is_reported_with_its_key(tmp_path: Path, text: str, complaint: str) -> None:
    (line,) = errors(tmp_path, text)
    assert complaint in line
    assert "secret" not in line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yml: can't be read: No such file"):
        load(tmp_path / "none.yml")
