"""The interface between a session and one server's part in a turn."""

from typing import Protocol

from probe.protocols.base import Event
from probe.record import Stage


class Side(Protocol):
    """One server's part in the current turn."""

    @property
    def stage(self) -> Stage:
        """What of the turn it is at, so that it is what fails where the server does not go on."""

    @property
    def owes(self) -> bool:
        """Whether something is due, so that the end of the connection is a fault."""

    def on_event(self, event: Event, at: int) -> None:
        """Take what the server said. May raise Fault and Busy."""

    def on_written(self, at: int) -> None:
        """A request was written later than it was asked for, or again: where nothing has answered it, it was then."""
