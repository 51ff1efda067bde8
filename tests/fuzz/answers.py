"""Coverage-guided: any bytes of a server over HTTP or TCP are events, never an exception, and the same however cut.

make fuzz
"""

import sys
from collections.abc import Iterable, Iterator, Sequence

import atheris
from prepared import again

with atheris.instrument_imports(include=["probe", "h11", "h2"]):
    from probe.plan import Pause, ServerPlan
    from probe.protocols.base import Audio, Conversation, Drop, Malformed, Question, Refused, Step, Terms, Unknown
    from probe.protocols.ollama.conversation import OllamaConversation
    from probe.protocols.openai_chat.conversation import ChatConversation
    from probe.protocols.openai_speech.conversation import SpeechConversation
    from probe.protocols.riva.conversation import RivaConversation
    from probe.protocols.riva.hearing import RivaHearing
    from probe.protocols.wyoming.conversation import WyomingConversation
    from probe.record import REASONS
    from probe.transport.framing.base import Body, BodyEnd, Ended, FramingError, Incoming, Raw, Request, Response
    from probe.transport.framing.http1 import Http1
    from probe.transport.framing.http2 import Http2

URL = "http://h/v1"
QUESTION = Question(1, ({"role": "user", "content": "Hi."},), Pause(10), 0.7)
NEWER, GRPC, HEARS = 16, 32, 64
# Below this there are no bytes of a server.
SHORTEST = 3
TYPES = ("text/event-stream", "application/json", "audio/pcm", "audio/wav", "", "text/html", "audio/mpeg", "audio/L16")
OLLAMA_TYPES = ("application/x-ndjson", *TYPES[1:])
STATUSES = (200, 206, 307, 401, 404, 422, 429, 503)
_REASONS = frozenset((*REASONS["stt"], *REASONS["llm"], *REASONS["tts"]))
GONE = Ended("closed", "in the middle of its response")


def one_answer(data: bytes) -> None:
    """The first byte says whose answer it is and what comes below it, the second how the bytes are cut.

    With bit 4 of the second it is Ollama's instead of a chat server's, and Wyoming's instead of a speech server's; with
    bit 5 it is Riva's, with bit 6 of one that hears.
    """
    if len(data) < SHORTEST:
        return
    (_, size), rest = data[:2], data[2:]
    whole = one_whole_answer(data)
    pieces = _heard(data, [rest[at : at + 1 + size % 16] for at in range(0, len(rest), 1 + size % 16)])
    if whole != pieces:
        raise AssertionError(f"{whole} in one piece, {pieces} in many")


def one_whole_answer(data: bytes) -> list[Step]:
    """The same bytes, in one piece: what is said."""
    if len(data) < SHORTEST:
        return []
    found = _heard(data, [data[2:]])
    check(found, len(data) - 2)
    return found


def _heard(data: bytes, pieces: Sequence[bytes]) -> list[Step]:
    choice, size = data[:2]
    if choice & 2 and size & GRPC:
        talk = listening(choice) if size & HEARS else speaking()
        return said(talk, framed_for_grpc(pieces) if choice & 1 else below_grpc(choice, pieces))
    if choice & 2 and size & NEWER:
        return said(over_tcp(streamed=bool(choice & 4)), [*map(Raw, pieces), GONE])
    frames = framed(pieces) if choice & 1 else below(choice, size, pieces)
    return said(spoken() if choice & 2 else written(OllamaConversation if size & NEWER else ChatConversation), frames)


def asked() -> Http1:
    framing = Http1(URL, {})
    framing.send(Request("POST", "/v1"))
    return framing


def called() -> Http2:
    framing = Http2("grpc://h:1", {})
    framing.hello()
    framing.send(Request("POST", "/v1"))
    return framing


ASKED, CALLED = again(asked), again(called)


def framed(pieces: Iterable[bytes]) -> Iterator[Incoming]:
    """The bytes as those of a connection."""
    framing = ASKED()
    try:
        for piece in pieces:
            yield from framing.receive(piece)
        yield from framing.receive_eof()
    except FramingError as error:
        if not str(error).isprintable():
            raise AssertionError(f"not printable: {error!r}") from error
        yield Ended("malformed", str(error))
        return
    yield GONE


def below(choice: int, size: int, pieces: Iterable[bytes]) -> Iterator[Incoming]:
    """The bytes as those of a body, of some type and status."""
    types = OLLAMA_TYPES if size & NEWER else TYPES
    yield Response(STATUSES[choice >> 5], {"content-type": types[choice >> 2 & 7]})
    yield from map(Body, pieces)
    yield GONE if size & 128 else BodyEnd()


def framed_for_grpc(pieces: Iterable[bytes]) -> Iterator[Incoming]:
    """The bytes as those of a connection of HTTP/2."""
    framing = CALLED()
    try:
        for piece in pieces:
            yield from framing.receive(piece)
            framing.reply()
    except FramingError as error:
        if not f"{error}{error.said}".isprintable():
            raise AssertionError(f"not printable: {error!r}") from error
        yield Ended("malformed", str(error))
        return
    yield GONE


def below_grpc(choice: int, pieces: Iterable[bytes]) -> Iterator[Incoming]:
    """The bytes as those of messages, and a status behind them."""
    yield Response(200, {"content-type": "application/grpc"})
    yield from map(Body, pieces)
    yield BodyEnd({"grpc-status": str(choice >> 3 & 31)} if choice & 4 else {})


def speaking() -> RivaConversation:
    options = {"language": "en-US", "sample_rate": 24000}
    talk = RivaConversation(Terms(ServerPlan("riva", "grpc://h:1", options), "run", 10.0))
    list(talk.open(0))
    list(talk.speak("Hello.", 1))
    return talk


def listening(choice: int) -> RivaHearing:
    options = {"language": "en-US", "sample_rate": 16000, "interim_results": True, "punctuation": True}
    options |= {"endpointing": "server" if choice & 64 else "probe"}
    talk = RivaHearing(Terms(ServerPlan("riva", "grpc://h:1", options), "run", 10.0))
    list(talk.begin(0))
    return talk


def written(kind: type[ChatConversation | OllamaConversation]) -> ChatConversation | OllamaConversation:
    talk = kind(Terms(ServerPlan("any", URL, {}), "run", 10.0))
    list(talk.ask(QUESTION, 1))
    return talk


def spoken() -> SpeechConversation:
    options = {"voice": "x", "sample_rate": 24000}
    talk = SpeechConversation(Terms(ServerPlan("openai_speech", URL, options), "run", 10.0))
    list(talk.open(0))
    list(talk.speak("Hello.", 1))
    return talk


def over_tcp(*, streamed: bool) -> WyomingConversation:
    options = {"mode": "streamed" if streamed else "whole"}
    talk = WyomingConversation(Terms(ServerPlan("wyoming", "tcp://h:1", options), "run", 10.0))
    list(talk.open(0))
    # A stream is asked for once the server has described itself.
    list(talk.add("Hello.", 1) if streamed else talk.speak("Hello.", 1))
    return talk


def said(talk: Conversation, frames: Iterable[Incoming]) -> list[Step]:
    """What is said up to what ends the run or the connection, audio joined."""
    found: list[Step] = []
    for frame in frames:
        for step in talk.received(frame, 2):
            last = found[-1] if found else None
            if isinstance(step, Audio) and isinstance(last, Audio):
                found[-1] = Audio(last.pcm + step.pcm)
            elif not isinstance(step, Unknown):
                found.append(step)
            # Of a connection that was dropped nothing more is read.
            if isinstance(step, Refused | Malformed | Drop):
                return found
        if isinstance(frame, Ended):
            break
    return found


def check(steps: Iterable[Step], size: int) -> None:
    heard = 0
    for step in steps:
        match step:
            case Audio(pcm):
                heard += len(pcm)
            case Refused(message, said, reason=reason):
                good = f"{message}{said}".isprintable() and reason in _REASONS
                if not good:
                    raise AssertionError(f"not for a record: {step!r}")
            case Malformed(detail, said) if not f"{detail}{said}".isprintable():
                raise AssertionError(f"not printable: {step!r}")
    if heard > size:
        raise AssertionError(f"{heard} bytes of audio in {size}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_answer)
    atheris.Fuzz()
