"""Has a TTS server speak what a person says, outside of every measure: the target's own, or one for this alone."""

from dataclasses import replace

from msgspec import Struct

from probe.blame import server_of
from probe.clock import Clock
from probe.engine.faults import Busy, Fault
from probe.engine.lines import TTS
from probe.engine.session import Session
from probe.engine.speech import Speech
from probe.engine.tts_side import unreported
from probe.plan import Plan
from probe.progress import Event
from probe.protocols.base import Terms
from probe.protocols.choice import Protocols
from probe.protocols.segments import Segment
from probe.record import Failure
from probe.transport.connector import Connector
from probe.transport.deadline import within


class Recital(Struct, frozen=True):
    """The samples (16-bit mono) of a text and their rate, or why there are none: a failure, or who is in its way."""

    pcm: bytes = b""
    sample_rate: int = 0
    failure: Failure | None = None
    skipped: str | None = None
    said: tuple[str, ...] = ()


def of_speaker(plan: Plan) -> Plan:
    """The plan with the server that makes the speech of a person as the target's only one, if that is not its own."""
    server = plan.target.user_speech
    return plan if server is None else replace(plan, target=replace(plan.target, servers={"tts": server}))


async def recited(text: str, plan: Plan, protocols: Protocols, connector: Connector, clock: Clock) -> Recital:
    """Have a text spoken by the TTS server of `of_speaker(plan)`, within the limits of a run.

    Raises nothing but CancelledError.
    """
    server, limits = plan.target.servers["tts"], plan.target.limits
    conversation = protocols.of["tts"].converse(Terms(server, plan.run_id, limits.tts_s))
    session = Session(plan, protocols, {TTS: conversation}, connector, clock, _unseen)
    speech = Speech(session, {TTS: conversation}, unreported)
    session.sides = speech.sides
    try:
        async with within(limits.run_s):
            segment = await _spoken(text, session, speech, pieces=protocols.of["tts"].takes_pieces(server))
        return Recital(bytes(segment.pcm), segment.sample_rate)
    except Busy as busy:
        return Recital(skipped=str(busy))
    except TimeoutError:
        fault = Fault("tts", "run_deadline", f"it took longer than {limits.run_s:g} s", TTS)
        return _failed(fault, session, plan)
    except Fault as fault:
        return _failed(fault, session, plan)
    finally:
        await session.drop_all()


async def _spoken(text: str, session: Session, speech: Speech, *, pieces: bool) -> Segment:
    await session.connect(TTS)
    await speech.open()
    segment = await (speech.add(1, text) if pieces else speech.speak(1, text))
    await speech.close()
    await speech.finish()
    return segment


def _failed(fault: Fault, session: Session, plan: Plan) -> Recital:
    if plan.target.user_speech is not None:
        # No server of the target has failed.
        detail = f"what the user says could not be made by the server of user_speech ({fault.reason}): {fault}"
        failure = Failure("internal", "user_audio", detail, session.clock.now())
        return Recital(failure=failure, said=tuple(session.quotes.all))
    server = fault.line.role if fault.line is not None else server_of(fault.stage, plan.target.servers)
    detail = f"what the user says could not be made: {fault}"
    failure = Failure(fault.stage, fault.reason, detail, session.clock.now(), server=server)
    return Recital(failure=failure, said=tuple(session.quotes.all))


def _unseen(_event: Event) -> None:
    """Progress is not shown."""
