"""Whether the daemon is alive and ready: written by the event loop, read from any thread."""

import time
from dataclasses import dataclass, field

# The loop writes every second; on a busy machine a health check must not raise a false alarm.
STUCK_S = 10.0


@dataclass(slots=True)
class Health:
    """Single writes and reads of plain attributes: no lock is needed between two threads."""

    ready: bool = False
    problem: str | None = None
    beat: float = field(default_factory=time.monotonic)

    def note(self, problem: str | None) -> None:
        """Called by the loop every second or so, with what is wrong with the schedule, if anything."""
        self.problem = problem
        self.beat = time.monotonic()

    def complaint(self) -> str | None:
        """What is wrong; None if nothing is."""
        silent = time.monotonic() - self.beat
        if silent > STUCK_S:
            return f"the event loop has been stuck for {silent:.0f} s"
        return self.problem
