"""`probe`, and `python -m probe`."""

import os
import signal
import sys

from probe.garbage import without_collections


def main() -> None:
    """Run the command line."""
    open_standard_streams()
    # Ctrl-C while modules load ends us without a traceback; commands that have to tidy up handle it themselves.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:2] == ["daemon"]:
        # A reload that comes while the daemon starts waits until it can be done, instead of ending it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    with without_collections():
        from probe.cli import main as command_line  # noqa: PLC0415 - that is what takes the time

    command_line()


def open_standard_streams() -> None:
    """Where the parent process closed one, nothing else may get its number: it would get what is said, too."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as we live
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same


if __name__ == "__main__":
    main()
