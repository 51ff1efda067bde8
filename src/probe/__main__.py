"""`probe`, and `python -m probe`."""

import signal
import sys

from probe.garbage import without_collections


def main() -> None:
    """Run the command line."""
    # Ctrl-C while modules load ends us without a traceback; commands that have to tidy up handle it themselves.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:2] == ["daemon"]:
        # A reload that comes while the daemon starts waits until it can be done, instead of ending it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    with without_collections():
        from probe.cli import main as command_line  # noqa: PLC0415 - that is what takes the time

    command_line()


if __name__ == "__main__":
    main()
