"""Coverage-guided: any bytes of a server over HTTP or TCP are events, never an exception, and the same however cut.

make fuzz
"""

import sys
from collections.abc import Iterable, Iterator

import atheris

with atheris.instrument_imports(include=["probe", "h11"]):
    from probe.protocols.base import Audio, Conversation, Malformed, Question, Refused, Step, Terms, Unknown
    from probe.protocols.ollama.conversation import OllamaConversation
    from probe.protocols.openai_chat.conversation import ChatConversation
    from probe.protocols.openai_speech.conversation import SpeechConversation
    from probe.protocols.wyoming.conversation import WyomingConversation
    from probe.record import REASONS, Pause, ServerPlan
    from probe.transport.framing.base import Body, BodyEnd, Ended, FramingError, Incoming, Raw, Request, Response
    from probe.transport.framing.http1 import Http1

URL = "http://h/v1"
QUESTION = Question(1, ({"role": "user", "content": "Hi."},), Pause(10), 0.7)
NEWER = 16
TYPES = ("text/event-stream", "application/json", "audio/pcm", "audio/wav", "", "text/html", "audio/mpeg", "audio/L16")
OLLAMA_TYPES = ("application/x-ndjson", *TYPES[1:])
STATUSES = (200, 206, 307, 401, 404, 422, 429, 503)
GONE = Ended("closed", "in the middle of its response")


def one_answer(data: bytes) -> None:
    """The first byte says whose answer it is and what comes below it, the second how the bytes are cut.

    With bit 4 of the second it is Ollama's instead of a chat server's, and Wyoming's instead of a speech server's.
    """
    if len(data) < 3:
        return
    (choice, size), rest = data[:2], data[2:]
    whole, pieces = [rest], [rest[at : at + 1 + size % 16] for at in range(0, len(rest), 1 + size % 16)]
    results = []
    for cut in (whole, pieces):
        if choice & 2 and size & NEWER:
            results.append(said(over_tcp(streamed=bool(choice & 4)), [*map(Raw, cut), GONE]))
            continue
        frames = framed(cut) if choice & 1 else below(choice, size, cut)
        results.append(
            said(spoken() if choice & 2 else written(OllamaConversation if size & NEWER else ChatConversation), frames)
        )
    check(results[0], len(rest))
    if results[0] != results[1]:
        raise AssertionError(f"{results[0]} in one piece, {results[1]} in many")


def framed(pieces: Iterable[bytes]) -> Iterator[Incoming]:
    """The bytes as those of a connection."""
    framing = Http1(URL, {})
    framing.send(Request("POST", "/v1"))
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
    """What is said up to what ends the run, audio joined."""
    found: list[Step] = []
    for frame in frames:
        for step in talk.received(frame, 2):
            last = found[-1] if found else None
            if isinstance(step, Audio) and isinstance(last, Audio):
                found[-1] = Audio(last.pcm + step.pcm)
            elif not isinstance(step, Unknown):
                found.append(step)
            if isinstance(step, Refused | Malformed):
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
                good = f"{message}{said}".isprintable() and reason in {*REASONS["llm"], *REASONS["tts"]}
                if not good:
                    raise AssertionError(f"not for a record: {step!r}")
            case Malformed(detail, said) if not f"{detail}{said}".isprintable():
                raise AssertionError(f"not printable: {step!r}")
    if heard > size:
        raise AssertionError(f"{heard} bytes of audio in {size}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_answer)
    atheris.Fuzz()
