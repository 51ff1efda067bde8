"""How a run ends early."""

from probe.record import Role, Stage


class Fault(Exception):
    """A server did not do its part: ends the run with this stage and reason.

    `server` needs to be said only where the stage does not: which one could not be connected to.
    """

    def __init__(self, stage: Stage, reason: str, detail: str, server: Role | None = None) -> None:
        super().__init__(detail)
        self.stage: Stage = stage
        self.reason = reason
        self.server = server


class Busy(Exception):
    """The server is occupied by its users: ends the run without blame."""


class Stopped(Exception):
    """The operator has stopped the run: no server is to blame, and it was no attempt."""
