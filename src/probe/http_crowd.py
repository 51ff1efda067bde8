"""Which connections to the HTTP port are closed if too many are open, so that slow clients don't block others."""

import asyncio
import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

# A request comes with its connection, or a round trip later: a client without one may be closed after this time.
GRACE_S = 0.25
# One that has stopped reading may be closed after this time, and one that reads slowly after a longer time.
STALLED_S = 1.0
SLOW_S = 5.0

# How long a connection waits for another one to close before it is refused.
ROOM_S = 1.0
# What was answered has so long to hang up. Closed before that, the connection would be reset where something is unread,
# and the answer lost with it.
FAREWELL_S = 1.0
# The same for a connection that is closed because others wait.
HURRIED_S = 0.25

# What a client is waited for: to send its request, for its page to be made, to read it, or to hang up.
Phase = Literal["head", "page", "body", "done"]


@dataclass(eq=False, slots=True)
class Visit:
    """One connection: from where, what it is waited for, and since when (of the loop's clock).

    `since` is when it last went on, `entered` when its phase began. `dismissed`: it has to go, because others wait.
    """

    address: str
    since: float
    phase: Phase = "head"
    task: asyncio.Task[None] | None = None
    dismissed: bool = False
    entered: float = 0.0

    def enters(self, phase: Phase, now: float) -> None:
        self.phase, self.since, self.entered = phase, now, now

    def goes_on(self, now: float) -> None:
        self.since = now

    def dismiss(self) -> None:
        self.dismissed = True
        if self.task is not None:
            self.task.cancel()

    def spare_at(self) -> float | None:
        """When this connection may be closed; None if it may not."""
        match self.phase:
            case "head":
                return self.since + GRACE_S
            case "page":
                return None
            case "body":
                return min(self.since + STALLED_S, self.entered + SLOW_S)
            case "done":
                return self.since


def first_to_go(visits: Collection[Visit], now: float) -> Visit | None:
    """The connection to close: of the address with the most connections, the one that has waited longest."""
    of = Counter(each.address for each in visits)
    spare = [each for each in visits if (at := each.spare_at()) is not None and at <= now]
    return max(spare, key=lambda each: (each.phase == "done", of[each.address], now - each.since), default=None)


def next_spare_s(visits: Collection[Visit], now: float) -> float:
    """In how many seconds a connection may be closed; infinite if that is not known."""
    return min((max(0.0, at - now) for each in visits if (at := each.spare_at()) is not None), default=math.inf)
