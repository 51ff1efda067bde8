"""A scenario's turns, one after another, and releasing everything on the servers at the end."""

import asyncio
from collections.abc import Callable, Sequence

from probe.blame import NAMES, server_of
from probe.engine.faults import Fault
from probe.engine.lines import Line
from probe.engine.session import Session
from probe.engine.turn import TurnInProgress, quietly
from probe.plan import Plan
from probe.protocols.base import Question
from probe.protocols.choice import Protocols
from probe.record import Failure
from probe.text import cut
from probe.transport.deadline import within

# Of a list of voices so many characters are kept; a server may have thousands.
MAX_VOICES_TEXT = 1000


class Dialogue:
    """What is said in one run. `lines` has each server's first, and first of all the one that is asked.

    `begin` makes a turn by its number.
    """

    def __init__(
        self, session: Session, protocols: Protocols, lines: Sequence[Line], begin: Callable[[int], TurnInProgress]
    ) -> None:
        self.session = session
        self.turns: list[TurnInProgress] = []
        self._protocols = protocols
        self._lines = lines
        self._begin = begin

    async def converse(self) -> None:
        """Take every turn. Raises Fault and Busy."""
        scenario = self.session.plan.scenario
        messages = [{"role": "system", "content": _system_prompt(self.session.plan)}]
        await self._connect()
        for _ in scenario.user_turns:
            turn = self._next_turn()
            if turn.turn_num > 1:
                await self.session.rest(scenario.turn_pause_s)
                await self.session.connect(self._lines[0])
            messages.append({"role": "user", "content": await turn.hear(tuple(messages))})
            await turn.take(Question(turn.turn_num, tuple(messages), scenario.first_pause, scenario.temperature))
            messages.append({"role": "assistant", "content": turn.answer()})

    async def _connect(self) -> None:
        """Open the connections; beside that, before anything is measured, ask for a voice that would say nothing."""
        asking = asyncio.ensure_future(self._voice_unknown())
        try:
            for line in self._lines:
                await self.session.connect(line)
            if (fault := await asking) is not None:
                raise fault
        finally:
            asking.cancel()

    async def _voice_unknown(self) -> Fault | None:
        silent = any(each.silent_if_voice_unknown for each in self._protocols.of.values())
        return await self._unlisted() if silent else None

    def failure(self, fault: Fault, at: int) -> Failure:
        server = server_of(fault.stage, self.session.plan.target.servers)
        if fault.line is not None and fault.stage != "internal":
            server = fault.line.role
        if not self.turns:
            return Failure(fault.stage, fault.reason, str(fault), at, server=server)
        turn = self.turns[-1]
        # Where the LLM goes on meanwhile, the text that is being spoken is not the last that there is.
        spoken = turn.tts.unspoken(fault.line) if fault.stage == "tts" else None
        chunk_num = len(turn.llm.chunks) or None if spoken is None else spoken.chunk_num
        return Failure(fault.stage, fault.reason, str(fault), at, turn.turn_num, chunk_num, server)

    async def diagnose(self, fault: Fault) -> Fault:
        """Servers answer a voice that they don't have with silence: ask whether this was one."""
        return (await self._unlisted() or fault) if fault.reason == "no_audio" else fault

    async def _unlisted(self) -> Fault | None:
        """What is wrong where the TTS server lists its voices, and the one that is asked for is not among them."""
        target = self.session.plan.target
        voice, role = target.option("tts", "voice"), server_of("tts", target.servers)
        if voice is None or role is None:
            return None
        for inquiry in self._protocols.of[role].voices(target.servers[role]):
            voices = await self.session.inquire(inquiry)
            if voices is not None and voice not in voices:
                self.session.quotes.of(role, f"it has the voices {cut(', '.join(voices), MAX_VOICES_TEXT)}")
                unknown = f"the {NAMES[role]} server has no voice {voice!r} among its {len(voices)}"
                return Fault("tts", "unknown_voice", unknown)
        return None

    async def release(self) -> None:
        """Release everything on the servers. Never raises except for cancellation."""
        limit = self.session.plan.target.limits.release_s
        try:
            async with within(limit):
                if self.turns:
                    await quietly(self.turns[-1].tts.cancel())
                    await quietly(self.turns[-1].llm.release(limit))
        except TimeoutError:
            now = self.session.clock.now()
            name = NAMES[self._lines[0].role]
            self.session.report("warning", now, text=f"the {name} server has not confirmed that it is free again")
        finally:
            if self.turns and not self.turns[-1].llm.released:
                self.session.report("unreleased", self.session.clock.now())
            await self.session.drop_all()

    def _next_turn(self) -> TurnInProgress:
        turn = self._begin(len(self.turns) + 1)
        self.turns.append(turn)
        self.session.sides = turn.by_line
        self.session.turn_num = turn.turn_num
        return turn


def _system_prompt(plan: Plan) -> str:
    """A fresh conversation begins with a line that no server has seen, so that the model answers and not a cache."""
    if plan.scenario.prompt_cache == "reused":
        return plan.scenario.system_prompt
    return f"Conversation {plan.run_id}.\n{plan.scenario.system_prompt}".rstrip()
