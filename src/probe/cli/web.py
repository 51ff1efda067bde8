"""`probe web`: pages over the history, for a browser."""

import ipaddress
import socket
from importlib.util import find_spec
from pathlib import Path

import click

from probe.cli.output import say
from probe.cli.state import state_dir_option
from probe.cli.usage import UsageProblem

PORT = 9851


@click.command(short_help="Pages over the recorded runs, for a browser.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes any free one."
)  # fmt: skip
@state_dir_option
def web(host: str, port: int, state_dir: Path) -> None:
    """Serve pages over the recorded runs: what is going on now, each run, drift, comparisons.

    A process of its own that only reads the history. docs/web.md describes the pages, and who may look at them.
    """
    if missing := [each for each in ("starlette", "uvicorn", "bcrypt") if find_spec(each) is None]:
        raise UsageProblem(f"this needs the extra `web` ({', '.join(missing)} missing): pip install 'voice-probe[web]'")
    # Only here: the command's help must not need what may be missing.
    from probe.web import server  # noqa: PLC0415
    from probe.web.app import application  # noqa: PLC0415
    from probe.web.settings import Settings  # noqa: PLC0415

    try:
        listener = server.listen(host, port)
    except OSError as error:
        raise click.ClickException(f"can't listen on {host}, port {port}: {error.strerror}") from error
    say(f"http://{_named(host)}:{listener.getsockname()[1]}/  (Ctrl-C ends it)")
    app = application(Settings(state_dir), ("localhost", host))
    server.serve(app, listener, None, lambda: None)


def _named(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    """Whether every address of this name is of this machine alone."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)
