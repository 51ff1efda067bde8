"""Other commands of ours as processes in the background, ended with what uses them."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

# Whatever ends us ends what we have started.
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# Lines of its log that say why a process ended.
_LOG_TAIL = 5
# prctl(2): the signal that the kernel sends to a process whose parent has ended, however it did.
_PR_SET_PDEATHSIG = 1


@contextmanager
def background(arguments: Sequence[str], log: Path, stop_timeout_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """Run `probe ARGUMENTS` with its output in `log`; SIGTERM at the end, SIGKILL where that takes too long.

    Where nobody is left to end it, as after our own SIGKILL, the kernel does. Call it from the main thread, as long as
    that is the only one: others could hold a lock that a new process waits for.
    """
    process = None
    try:
        with log.open("wb") as stream, _postponed_signals():
            # A session of its own: Ctrl-C reaches us alone, and we end the others in the right order.
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
                [sys.executable, "-m", "probe", *arguments], stdout=stream, stderr=stream, start_new_session=True,
                preexec_fn=_ended_with_parent(),  # noqa: PLW1509 - see above
            )  # fmt: skip
        yield process
    finally:
        if process is not None:
            with _postponed_signals():
                _end(process, stop_timeout_s)


def _ended_with_parent() -> Callable[[], None]:
    """What a new process calls first: SIGTERM for it once this one is gone. Only Linux knows that."""
    prctl, parent = getattr(ctypes.CDLL(None), "prctl", None), os.getpid()

    def ask() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask


@contextmanager
def _postponed_signals() -> Iterator[None]:
    """Let what would interrupt us wait: a process that is half started, or half ended, would be left behind."""
    noted: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: noted.append(number)) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if noted:
        raise KeyboardInterrupt


def _end(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log: Path) -> str:
    """The last lines of a log, in one."""
    return " | ".join(log.read_text("utf-8", "replace").splitlines()[-_LOG_TAIL:]) or f"see {log}"


def free_port(preferred: int) -> int:
    """The port that the documents name, another one where that is taken."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            number: int = probe.getsockname()[1]
            return number
    raise click.ClickException("no free port on 127.0.0.1")
