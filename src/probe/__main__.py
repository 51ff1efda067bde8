"""`probe`, and `python -m probe`."""

import signal

from probe.garbage import without_collections


def main() -> None:
    """Run the command line."""
    # Ctrl-C while modules load ends us without a traceback; commands that have to tidy up handle it themselves.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with without_collections():
        from probe.cli import main as command_line  # noqa: PLC0415 - that is what takes the time

    command_line()


if __name__ == "__main__":
    main()
