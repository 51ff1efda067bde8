"""The TTS server's side of a turn: its texts are handed out to as many conversations as it may be asked in at once."""

from collections.abc import Mapping, Sequence
from itertools import chain

from probe.engine.faults import Fault
from probe.engine.lines import Line
from probe.engine.session import Session
from probe.engine.tts_side import Report, TtsSide, unreported
from probe.protocols.base import TtsConversation
from probe.protocols.segments import Attribution, Segment
from probe.timestamps import NEVER


class Heard:
    """The results for a turn's texts, from all conversations."""

    def __init__(self, parts: Sequence[Attribution]) -> None:
        self._parts = parts
        self.all = sorted(chain.from_iterable(part.all for part in parts), key=lambda each: each.chunk_num)
        self.stray_bytes = sum(part.stray_bytes for part in parts)
        ends = [part.done for part in parts if part.done is not None]
        # When all audio of the turn had been sent.
        self.done = max(ends) if len(ends) == len(parts) else None

    def pending(self) -> Segment | None:
        """The first segment that is neither over nor held back by the server."""
        found = [each for part in self._parts if (each := part.pending()) is not None]
        return min(found, key=lambda each: each.chunk_num, default=None)

    def doubts(self) -> Sequence[str]:
        """What can't be known for sure, in sentences for a person."""
        return [doubt for part in self._parts for doubt in part.doubts()]


class Speech:
    """The speech of one turn. `sides` are what it is made of, by the line of each."""

    def __init__(self, session: Session, conversations: Mapping[Line, TtsConversation], report: Report) -> None:
        self.sides = {line: TtsSide(session, line, each, report) for line, each in conversations.items()}
        self._session = session

    @property
    def heard(self) -> Heard:
        return Heard([side.segments for side in self.sides.values()])

    @property
    def free(self) -> bool:
        """Whether the server may be asked for another text."""
        return any(side.settled for side in self.sides.values())

    @property
    def speaking(self) -> tuple[Line, ...]:
        """Where a text has not been spoken yet, and is not held back by the server until more text comes."""
        return tuple(line for line, side in self.sides.items() if not side.settled)

    def let_go(self) -> None:
        """Report nothing any more, when the turn has its record.

        A turn and its sides know one another, so that all of it would wait for the garbage collector, which then frees
        that of many runs at once and lets nothing else go on meanwhile.
        """
        for side in self.sides.values():
            side.report = unreported

    async def open(self) -> None:
        """Have the server ready for the turn's texts."""
        for side in self.sides.values():
            await side.open()

    async def speak(self, chunk_num: int, text: str) -> Segment:
        """Hand a text to the server, once that is free for it."""
        while not self.free:
            await self.step(*self.speaking)
        return await next(side for side in self.sides.values() if side.settled).speak(chunk_num, text)

    async def add(self, chunk_num: int, piece: str) -> Segment:
        """Hand over the next piece of a text that the server cuts."""
        return await next(iter(self.sides.values())).add(chunk_num, piece)

    async def settle(self) -> None:
        """Wait until every text sent has been spoken, or is held back by the server until more text comes."""
        while speaking := self.speaking:
            await self.step(*speaking)

    async def close(self) -> None:
        """Say that no more text comes."""
        for side in self.sides.values():
            await side.close()

    async def finish(self) -> None:
        """Wait until the server has said that all audio is sent."""
        while owing := [line for line, side in self.sides.items() if side.segments.done is None]:
            await self.step(*owing)

    async def cancel(self) -> None:
        """Stop whatever is being spoken, and read no more of it; nothing to do for a stream that is over."""
        for side in self.sides.values():
            await side.cancel()

    async def step(self, *waited: Line) -> None:
        """Let one thing happen while these lines owe something; a wait of an attribution's may be what is over."""
        wakes = [at for side in self.sides.values() if (at := side.segments.wakes_at()) is not None]
        try:
            if not await self._session.pump(min(wakes, default=NEVER), *waited):
                now = self._session.clock.now()
                for side in self.sides.values():
                    side.expire(now)
        except Fault as fault:
            if fault.reason != "timeout" or fault.line not in self.sides:
                raise
            self.sides[fault.line].was_silent(fault)
        for side in self.sides.values():
            side.require_open()

    def unspoken(self, line: Line | None) -> Segment | None:
        """The first text that waits to be spoken, on this connection or on all of them."""
        side = self.sides.get(line) if line is not None else None
        return self.heard.pending() if side is None else side.segments.pending()

    def complaint_as_ending(self) -> str:
        """What the server complained of, as the end of a sentence."""
        return next((words for side in self.sides.values() if (words := side.complaint_as_ending())), "")
