"""The arrival time of each frame of a connection, and its uncertainty. Pure.

A read has one stamp, that of its last byte. So it is right for what ends with that byte; what a server wrote before it
and was read together with it may have come earlier, down to the last moment at which nothing had come.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field

from probe.clock import Timeline
from probe.plan import Role
from probe.timestamps import NS_PER_MS
from probe.transport.framing.base import Body, Incoming

# What is known better than this is not kept.
NOTED_NS = NS_PER_MS


class Stamps(Struct):
    """`unstamped` counts the reads whose arrival the kernel did not stamp.

    By the moment of a frame, which no other of its connection has, and in clock nanoseconds: `vague` has the earliest
    that it may have come in, where that is not its moment, and `within` the earliest that anything in it may have.
    """

    unstamped: int = 0
    vague: dict[int, int] = field(default_factory=dict)
    within: dict[int, int] = field(default_factory=dict)

    def doubt(self, at: int) -> None:
        """The frame of this moment may have come in as early as anything in it."""
        if at in self.within:
            self.vague[at] = self.within[at]


class StampsOfRun:
    """How well the arrivals on all connections of a run are known, by server."""

    def __init__(self) -> None:
        self._of: dict[Role, list[Stamps]] = {}

    def add(self, role: Role, stamps: Stamps) -> None:
        self._of.setdefault(role, []).append(stamps)

    def unstamped(self) -> int:
        return sum(each.unstamped for those in self._of.values() for each in those)

    def vague(self) -> dict[Role, Mapping[int, int]]:
        return {role: _together([each.vague for each in those]) for role, those in self._of.items()}

    def earliest(self, role: Role, at: int) -> int:
        """When the frame of this moment may have come in at the earliest."""
        return min((each.vague[at] for each in self._of.get(role, ()) if at in each.vague), default=at)

    def doubt(self, role: Role, at: int) -> None:
        for each in self._of.get(role, ()):
            each.doubt(at)


class Moments:
    """Gives each frame of a connection its moment and hands it on, at the latest when a read is over."""

    def __init__(self, clock: Timeline, deliver: Callable[[int, Incoming], None]) -> None:
        self.stamps = Stamps()
        self._clock = clock
        self._deliver = deliver
        # Of the last read, in clock nanoseconds: its stamp, and a time before which no byte of it had come.
        self._stamp = self._since = 0
        self._rest: Callable[[int], None] = _exact
        # The moment of the last frame.
        self._at = 0
        # What the server wrote last, as far as is known; what follows in the same read was written later.
        self._waiting: list[Incoming] = []

    def read(self, arrival: int | None, since: int) -> None:
        """Bytes were read: the last came in at `arrival` (None: nobody knows), and none before `since`; monotonic."""
        self.stamps.unstamped += arrival is None
        self._stamp = self._clock.now() if arrival is None else self._clock.at(arrival)
        self._since = self._clock.at(since)
        self._rest = _exact

    def read_end(self, since: int) -> None:
        """The end of what comes in, which nobody stamps, has come since then."""
        self._stamp, self._since = self._clock.now(), self._clock.at(since)
        self._rest = self.stamps.doubt

    def put(self, frame: Incoming) -> None:
        """Take what the read has brought next."""
        if self._waiting and not (isinstance(frame, Body) and not frame.begins):
            self._hand_on(self.stamps.doubt)
        self._waiting.append(frame)

    def read_over(self) -> None:
        """The read has brought no more: its last byte is that of what came last."""
        self._hand_on(self._rest)

    def let_go(self) -> None:
        """Hand nothing on any more: who wants it knows these moments, and would wait for the garbage collector."""
        self._deliver = _nowhere

    def _hand_on(self, known: Callable[[int], None]) -> None:
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            # What has one stamp still has an order.
            self._at = max(self._at + 1, self._stamp)
            if self._at - self._since > NOTED_NS:
                self.stamps.within[self._at] = self._since
                known(self._at)
            self._deliver(self._at, frame)


def _together(of_connections: Sequence[dict[int, int]]) -> Mapping[int, int]:
    """That of one connection itself: it may be of tens of thousands of frames."""
    first, *more = of_connections
    return {at: since for each in of_connections for at, since in each.items()} if more else first


def _nowhere(at: int, frame: Incoming) -> None:
    """For what comes when all is over."""


def _exact(at: int) -> None:
    """The stamp is this frame's own."""
