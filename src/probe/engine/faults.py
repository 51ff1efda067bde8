"""Exceptions that end a run early."""

from probe.engine.lines import Line
from probe.record import Stage


class Fault(Exception):
    """A server failed: ends the run with this stage and reason. `line`: the connection on which it failed."""

    def __init__(self, stage: Stage, reason: str, detail: str, line: Line | None = None) -> None:
        super().__init__(detail)
        self.stage: Stage = stage
        self.reason = reason
        self.line = line


class Busy(Exception):
    """The server is occupied by its users: ends the run, which is skipped."""


class Stopped(Exception):
    """The operator has stopped the run: no server failed, and it was no attempt."""
