"""How a run ends early."""

from probe.record import Stage


class Fault(Exception):
    """A server did not do its part: ends the run with this stage and reason."""

    def __init__(self, stage: Stage, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.stage: Stage = stage
        self.reason = reason


class Busy(Exception):
    """The server is occupied by its users: ends the run without blame."""


class Stopped(Exception):
    """The operator has stopped the run: no server is to blame, and it was no attempt."""
