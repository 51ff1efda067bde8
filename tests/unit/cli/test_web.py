"""`probe web`: what it refuses before it listens, in one line."""

import importlib
from pathlib import Path

import bcrypt
import pytest
from click.testing import CliRunner, Result

from probe import extras
from probe.cli import main
from probe.web import passwords

# The command, whose name its module has, too.
web = importlib.import_module("probe.cli.web")


def probe_web(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["web", *arguments], input=typed)


def refused(result: Result) -> str:
    """The line of the refusal."""
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    return line


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "find_spec", lambda name: None if name == "starlette" else name)
    assert f"extra `web` is not installed (starlette): {extras.install('web')}" in refused(probe_web())


def test_its_help_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "find_spec", lambda _name: None)
    assert "--password-file" in probe_web("--help").output


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
@pytest.mark.parametrize("given", [(), ("--tls-cert", "--tls-key"), ("--password-file",), ("--no-texts",)])
def test_beyond_this_machine_it_needs_tls_and_a_password(host: str, given: tuple[str, ...]) -> None:
    options = [part for name in given for part in ((name,) if name == "--no-texts" else (name, "file"))]
    assert "only with --tls-cert, --tls-key and --password-file" in refused(probe_web("--host", host, *options))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_alone_is_loopback(host: str) -> None:
    assert web._is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "", "no such host.invalid"])
def test_anything_else_is_not(host: str) -> None:
    assert not web._is_loopback(host)


def test_half_a_certificate_is_none(tmp_path: Path) -> None:
    assert "go together" in refused(probe_web("--tls-cert", str(tmp_path / "cert.pem")))
    assert "go together" in refused(probe_web("--tls-key", str(tmp_path / "key.pem")))


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    said = refused(probe_web("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")))
    assert "cert.pem" in said and "key.pem" in said


def test_a_password_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hash"
    path.write_text("$2b$12$" + "a" * 53)
    path.chmod(0o644)
    assert "may be read or written by others" in refused(probe_web("--password-file", str(path)))


def test_a_hash_is_printed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    # The fewest rounds: that a hash with all of them fits is for the tests of passwords.
    monkeypatch.setattr(passwords, "_COST", 4)
    result = probe_web("--hash-password", typed="open sesame\n")
    assert result.exit_code == 0
    assert bcrypt.checkpw(b"open sesame", result.stdout.strip().encode())


def test_a_short_password_is_refused_and_not_repeated() -> None:
    said = refused(probe_web("--hash-password", typed="seven77\n"))
    assert "8 characters at least" in said and "seven77" not in said


def test_a_configuration_with_an_error_is_refused(tmp_path: Path) -> None:
    (tmp_path / "probe.toml").write_text("[http]\nport = -1\n")
    assert "http.port" in refused(probe_web("--config", str(tmp_path / "probe.toml")))


def test_it_reads_what_the_daemon_writes(tmp_path: Path) -> None:
    (tmp_path / "probe.toml").write_text(
        f'[daemon]\nstate_dir = "{tmp_path}/state"\naudio_dir = "{tmp_path}/audio"\n[drift]\nleast_change_percent = 5\n'
    )
    found = web._settings(tmp_path / "probe.toml", None, texts=True)
    assert (found.state_dir, found.audio_dir, found.least_change) == (tmp_path / "state", tmp_path / "audio", 0.05)
    assert web._settings(tmp_path / "probe.toml", tmp_path, texts=True).state_dir == tmp_path
