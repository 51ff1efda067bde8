"""Coverage-guided: any bytes of an agent, or of a speech server over a WebSocket, are events and never an exception.

make fuzz
"""

import sys
from collections.abc import Callable, Sequence

import atheris
from prepared import again

with atheris.instrument_imports(include=["probe"]):
    from probe.plan import Pause, ServerPlan
    from probe.protocols.base import Audio, Conversation, Malformed, Question, Refused, Terms, Token, Transcript
    from probe.protocols.nim_realtime import NimRealtime
    from probe.protocols.openai_realtime.conversation import RealtimeConversation
    from probe.protocols.vllm_speech import VllmSpeech
    from probe.record import REASONS
    from probe.transport.framing.base import Binary, Ended, Text

QUESTION = Question(1, ({"role": "system", "content": "Brief."}, {"role": "user", "content": "Hi."}), Pause(10), 0.7)
OPTIONS = {"sample_rate": 24_000}
READY = b'{"type": "session.updated", "session": {}}'
CREATED = b'{"type": "session.created", "session": {}}'
SECOND = 10**9
_REASONS = (*REASONS["tts"], *REASONS["stt"])


def agent(*, ready: bool) -> RealtimeConversation:
    talk = RealtimeConversation(Terms(ServerPlan("openai_realtime", "ws://h", OPTIONS), "run", 10.0))
    talk.prepare(QUESTION)
    list(talk.open(0))
    if ready:
        for data in (CREATED, READY):
            list(talk.received(Text(data), 1))
        list(talk.ask(QUESTION, 2))
    return talk


def hearing() -> RealtimeConversation:
    options = {**OPTIONS, "input_rate": 24_000, "endpointing": "server", "transcription_model": "w"}
    talk = RealtimeConversation(Terms(ServerPlan("openai_realtime", "ws://h", options), "run", 10.0))
    talk.prepare(QUESTION)
    list(talk.open(0))
    for data in (CREATED, READY):
        list(talk.received(Text(data), 1))
    list(talk.begin(2))
    list(talk.hear(b"\x01\x02", 2))
    talk.interrupt()
    return talk


def speaking() -> VllmSpeech:
    talk = VllmSpeech(Terms(ServerPlan("vllm_speech", "ws://h", OPTIONS), "run", 10.0))
    list(talk.open(0))
    list(talk.speak("Hi.", 1))
    return talk


def committed() -> NimRealtime:
    options = {**OPTIONS, "language": "en-US"}
    talk = NimRealtime(Terms(ServerPlan("nim_realtime", "ws://h", options), "run", 10.0))
    list(talk.open(0))
    list(talk.received(Text(b'{"type": "conversation.created"}'), 1))
    list(talk.speak("Hi.", 1))
    return talk


STARTS: Sequence[Callable[[], Conversation]] = (
    again(lambda: agent(ready=False)),
    again(lambda: agent(ready=True)),
    again(speaking),
    again(committed),
    again(hearing),
)


def one_talk(data: bytes) -> None:
    """The first byte says whose events they are; a new line parts them, and one that begins with a zero is binary."""
    if not data:
        return
    choice, *frames = data[0], *data[1:].split(b"\n")
    talk = STARTS[choice % len(STARTS)]()
    for at, frame in enumerate(frames, 1):
        for step in talk.received(Binary(frame) if frame.startswith(b"\0") else Text(frame), at * SECOND):
            check(step)
        wakes = talk.wakes_at()
        for step in () if wakes is None or wakes > at * SECOND else talk.wake(at * SECOND):
            check(step)
    list(talk.received(Ended("closed", "in the middle"), len(frames) * SECOND))


def check(step: object) -> None:
    match step:
        case Refused(message, said, reason=reason):
            if not message.isprintable() or not said.isprintable() or reason not in _REASONS:
                raise AssertionError(step)
        case Malformed(detail, said):
            if not detail.isprintable() or not said.isprintable():
                raise AssertionError(step)
        case Token(text) | Transcript(text):
            text.encode()
        case Audio(pcm):
            if not pcm:
                raise AssertionError(step)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_talk)
    atheris.Fuzz()
