"""`probe web`: pages over the history, for a browser."""

import ipaddress
import socket
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probe import config, extras
from probe.cli.output import say
from probe.cli.state import default_state_dir
from probe.cli.usage import UsageProblem
from probe.config import Config
from probe.config.expected import expected

if TYPE_CHECKING:
    import ssl

    # At run time only once it is known that the extra is installed.
    from probe.web.access import Access
    from probe.web.settings import Settings

PORT = 9851
_NEEDED = ("bcrypt", "starlette", "uvicorn")


@click.command(short_help="Pages over the recorded runs, for a browser.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes any free one.")
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), metavar="FILE",
    help="The daemon's configuration file: where history and audio are, the limits for drift.",
)  # fmt: skip
@click.option(
    "--state-dir", type=click.Path(path_type=Path), default=None,
    help="Where the daemon keeps its history.  [default: as configured, else $STATE_DIRECTORY, else"
    " ~/.local/state/voice-probe]",
)  # fmt: skip
@click.option(
    "--no-texts", is_flag=True,
    help="Leave out what was said, words and audio: then everybody on this machine may look, without a key.",
)  # fmt: skip
@click.option(
    "--password-file", type=click.Path(path_type=Path), metavar="FILE",
    help="Ask for the password whose hash is in this file, which only its owner may read.",
)  # fmt: skip
@click.option("--hash-password", is_flag=True, help="Read a password from standard input, print its hash, and end.")
@click.option("--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="Serve HTTPS with this certificate.")
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="The certificate's key.")
@click.option(
    "--allowed-host", "allowed_hosts", multiple=True, metavar="NAME",
    help="A further name that browsers may call this server by. May be repeated.",
)  # fmt: skip
def web(
    host: str,
    port: int,
    config_path: Path | None,
    state_dir: Path | None,
    password_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    allowed_hosts: tuple[str, ...],
    *,
    no_texts: bool,
    hash_password: bool,
) -> None:
    if missing := [each for each in _NEEDED if find_spec(each) is None]:
        raise UsageProblem(f"the extra `web` is not installed ({', '.join(missing)}): {extras.install('web')}")
    if hash_password:
        say(_hash())
        return
    _check_reach(host, is_encrypted=tls_cert is not None, is_asked=password_file is not None)
    settings = _settings(config_path, state_dir, texts=not no_texts)
    _serve(settings, host, port, (tls_cert, tls_key), password_file, allowed_hosts)


web.help = """Serve pages over the recorded runs: what is going on now, each run, drift, comparisons.

A separate process that only reads the history. The address that it prints has a key, since other users of this machine
can connect, too. Other machines are served with TLS and a password only. docs/web.md has more.

\b
Examples:
  probe web
  probe web --config /etc/probe/probe.toml --no-texts
  probe web --hash-password > password.hash
  probe web --host 0.0.0.0 --tls-cert cert.pem \\
            --tls-key key.pem \\
            --password-file password.hash
"""


def _check_reach(host: str, *, is_encrypted: bool, is_asked: bool) -> None:
    if not _is_loopback(host) and not (is_encrypted and is_asked):
        raise UsageProblem(
            f"--host {host}: other machines are served only with --tls-cert, --tls-key and --password-file, since the"
            " pages show what was said"
        )


def _is_loopback(host: str) -> bool:
    """Whether every address of this name is of this machine alone."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return all(ipaddress.ip_address(str(address[0])).is_loopback for *_, address in found)
    except (OSError, ValueError):
        return False


def _hash() -> str:
    from probe.web.passwords import PasswordError, hash_of  # noqa: PLC0415 - only with the extra

    typed = click.prompt("Password", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    try:
        return hash_of(typed.rstrip("\r\n"))
    except PasswordError as error:
        raise UsageProblem(str(error)) from error


def _settings(path: Path | None, state_dir: Path | None, *, texts: bool) -> "Settings":
    from probe.web.settings import Settings  # noqa: PLC0415 - only with the extra

    try:
        configured = Config() if path is None else config.load(path)
    except config.ConfigError as error:
        raise UsageProblem(str(error)) from error
    return Settings(
        state_dir=state_dir or configured.daemon.state_dir or default_state_dir(),
        audio_dir=configured.daemon.audio_dir,
        texts=texts,
        least_change=configured.drift.least_change_percent / 100,
        next_runs=None if path is None else expected(configured),
    )


def _serve(
    settings: "Settings",
    host: str,
    port: int,
    tls: tuple[Path | None, Path | None],
    password_file: Path | None,
    allowed_hosts: tuple[str, ...],
) -> None:
    from probe.web import server  # noqa: PLC0415 - only with the extra
    from probe.web.app import site  # noqa: PLC0415
    from probe.web.guard import LOOPBACK_NAMES  # noqa: PLC0415
    from probe.web.kept import KEPT  # noqa: PLC0415

    context = _tls(*tls)
    hashed = None if password_file is None else _read_hash(password_file)
    try:
        listener = server.listen(host, port)
    except OSError as error:
        raise click.ClickException(f"can't listen on {host}, port {port}: {error.strerror or error}") from error
    bound = listener.getsockname()[1]
    access, key = _access(hashed, bound, is_secure=context is not None, texts=settings.texts)
    scheme = "http" if context is None else "https"
    say(f"{scheme}://{f'[{host}]' if ':' in host else host}:{bound}/{key}")
    threading.Thread(target=KEPT.warm, args=(settings.state_dir,), name="warm", daemon=True).start()
    server.serve(site(settings, (*LOOPBACK_NAMES, host, *allowed_hosts), access), listener, context)


def _access(hashed: bytes | None, port: int, *, is_secure: bool, texts: bool) -> "tuple[Access, str]":
    """Who may look, and what the address needs for it."""
    from probe.web.access import TOKEN, Everybody, Password, Token  # noqa: PLC0415 - only with the extra

    if hashed is not None:
        return Password(hashed, time.monotonic), ""
    if not texts:
        return Everybody(), ""
    token = Token(port, is_secure=is_secure)
    return token, f"?{TOKEN}={token.value}"


def _read_hash(path: Path) -> bytes:
    from probe.web.passwords import PasswordError, read_hash  # noqa: PLC0415 - only with the extra

    try:
        return read_hash(path)
    except PasswordError as error:
        raise UsageProblem(f"--password-file: {error}") from error


def _tls(cert: Path | None, key: Path | None) -> "ssl.SSLContext | None":
    import ssl  # noqa: PLC0415 - few serve HTTPS

    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise UsageProblem("--tls-cert and --tls-key go together")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # Without asking for a password on a terminal: a service has none.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        raise UsageProblem(
            f"--tls-cert {cert}, --tls-key {key}: {getattr(error, 'strerror', None) or error}"
        ) from error
    return context
