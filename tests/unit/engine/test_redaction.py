"""What servers say beside their answers: kept for the history, without our credentials, and in no message of ours."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeNetwork, llm, newer_tts, say
from runs import plan

from probe.clock import Clock
from probe.credentials import secrets_of, without
from probe.engine import runner
from probe.engine.quotes import MAX_QUOTES, Quotes
from probe.engine.redaction import redacted
from probe.plan import Role, ServerPlan
from probe.protocols.base import ChunkEnd, Malformed, Ready, Refused
from probe.protocols.registry import chosen
from probe.record import RunRecord
from probe.transport.connection import ConnectError, Deliver, Endpoint
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Outgoing, Request, Response
from probe.transport.stamps import Stamps

if TYPE_CHECKING:
    from probe.progress import Event as ProgressEvent

NOT_ACCEPTED = "it does not accept the credentials that it was sent"
KEY = "sk-0123456789"
QUERY = "query-secret"
LLM = ServerPlan("openai_chat", f"http://h/v1?key={QUERY}", {}, {"authorization": f"Bearer {KEY}"})
TTS = ServerPlan("openai_speech", f"http://h:8001/v1?key={QUERY}", {"voice": "af_heart", "sample_rate": 24000})
PLAN = replace(plan(), target=replace(plan().target, servers={"llm": LLM, "tts": TTS}))


def test_credentials_that_a_server_quotes_are_left_out() -> None:
    url = "http://me:pass%20and%40word@h/v1?key=query-secret&n=1"
    secrets = secrets_of(url, {"authorization": "Bearer sk-12345678"})
    quoted = "bad sk-12345678, and@word or query-secret"
    assert redacted(Refused("HTTP 401", quoted, busy=True, reason="loading"), secrets) == Refused(
        "HTTP 401", "bad …, … or …", busy=True, reason="loading"
    )
    assert redacted(Malformed("not JSON", quoted), secrets) == Malformed("not JSON", "bad …, … or …")
    assert redacted(ChunkEnd(True, refusal=Refused("x", quoted)), secrets) == ChunkEnd(
        True, refusal=Refused("x", "bad …, … or …")
    )
    assert redacted(Ready(), secrets) == Ready()
    # What is cut for a person's sake may cut a secret, too.
    assert without("bad sk-123456…", secrets) == "bad …"
    assert without("bad sk-1…", secrets) == "bad sk-1…"


@pytest.mark.parametrize(
    ("url", "quoted"),
    [
        ("http://me:pass%20and%40word@h", "as it is written: pass%20and%40word"),
        ("http://me:pass%20and%40word@h", "as it is sent: bWU6cGFzcyBhbmRAd29yZA=="),
        ("wss://token-1234@h/v1", "a user alone: token-1234"),
        ("http://h/v1?key=a%2Fb%2Bc%3D%3D", "POST /v1?key=a%2Fb%2Bc%3D%3D"),
        ("http://h/v1?key=a%2Fb%2Bc%3D%3Ddd", "no key a/b+c==dd"),
        ("http://h/v1?token-1234", "a query alone: token-1234"),
        ("http://h/v1?key=token'1234", "b'GET /v1?key=token\\'1234"),
        ('http://h/v1?key=token"1234', '{"error": "no /v1?key=token\\"1234'),
        ("http://h/v1?key=token/1234", "\\/v1?key=token\\/1234"),
    ],
)
def test_credentials_of_a_url_are_left_out_in_each_form(url: str, quoted: str) -> None:
    start = quoted[: max(quoted.rfind(" "), quoted.rfind("?key=") + 4) + 1]
    assert without(quoted, secrets_of(url, {})) == f"{start}…"


def test_credentials_are_left_out_of_what_an_http_server_answers(virtual: Any) -> None:
    quoted = json.dumps({"error": f"Incorrect API key: {KEY}"}).encode()
    record = measured(virtual, {"llm": (Response(401, {}), Body(quoted), BodyEnd())})
    assert record.failure is not None and record.failure.reason == "unauthorized"
    assert record.failure.detail == f"HTTP 401 for /v1/chat/completions; {NOT_ACCEPTED}"
    assert record.said == ("LLM server: Incorrect API key: …",)


@pytest.mark.parametrize("data", [b'data: {"error": "bad %s"}\n\n' % KEY.encode(), b"data: {%s\n\n" % KEY.encode()])
def test_credentials_are_left_out_of_what_a_stream_says(virtual: Any, data: bytes) -> None:
    record = measured(virtual, {"llm": (Response(200, {"content-type": "text/event-stream"}), Body(data), BodyEnd())})
    assert record.failure is not None and record.failure.stage == "llm"
    [said] = record.said
    assert said.endswith("…") or "{…" in said
    assert KEY not in f"{record.failure.detail} {said}"


def test_credentials_are_left_out_of_what_a_tts_server_answers(virtual: Any) -> None:
    refused = (Response(401, {}), Body(f"no such key: {QUERY}".encode()), BodyEnd())
    record = measured(virtual, {"llm": ANSWER, "tts": refused})
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("tts", "unauthorized")
    assert record.failure.detail == f"TTS server: HTTP 401 for /v1/audio/speech; {NOT_ACCEPTED}"
    assert record.said == ("TTS server: no such key: …",)


def test_credentials_are_left_out_of_how_a_connection_ends(virtual: Any) -> None:
    record = measured(virtual, {"llm": (Ended("malformed", "the server broke HTTP", f"no header: {KEY}"),)})
    assert record.failure is not None and record.failure.reason == "malformed"
    assert record.failure.detail == "LLM server ended the connection: the server broke HTTP"
    assert record.said == ("LLM server: no header: …",)


def test_credentials_are_left_out_of_why_a_connection_did_not_open(virtual: Any) -> None:
    refused = ConnectError("not_websocket", "ws://h: HTTP 302 instead of a WebSocket", said=f"to /?k={QUERY}")
    record = measured(virtual, {"tts": refused})
    assert record.failure is not None and record.failure.detail == "ws://h: HTTP 302 instead of a WebSocket"
    assert record.said == ("TTS server: to /?k=…",)


def test_credentials_are_left_out_of_an_error_of_our_own(virtual: Any) -> None:
    record = measured(virtual, {"llm": ZeroDivisionError(f"{KEY}\n{'x' * 1000}")})
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("internal", "error")
    # Where it was raised, and nothing of what it says.
    assert record.failure.detail.startswith("ZeroDivisionError in test_redaction.py, line ")
    [said] = record.said
    assert said.startswith("voice-probe: … xxx") and said.endswith("x…") and len(said) < 330


def test_a_server_that_complains_all_the_time_is_quoted_only_so_often() -> None:
    quotes = Quotes(PLAN.target.servers)
    for number in range(100):
        quotes.of("llm", f"complaint {number}")
        quotes.of("llm", f"complaint {number}")
    quotes.of("tts", "")
    quotes.of_ours(ZeroDivisionError())
    # The first ones, and the last.
    assert quotes.all == [f"LLM server: complaint {number}" for number in (*range(MAX_QUOTES - 1), 99)]


def test_a_complaint_that_is_no_failure_is_kept_and_shown_as_it_happens(virtual: Any) -> None:
    """Whoever watches the run is its owner; the resulting failure says only that there was one."""
    network = FakeNetwork(
        llm(say("One two three.", done=True)),
        newer_tts([{"type": "error", "message": "can't say One two", "fatal": False}, 20.0]),
    )
    watched: list[ProgressEvent] = []
    founding = plan()
    going = runner.run(founding, chosen(founding.target), network(virtual.clock), virtual.clock, watched.append)
    record: RunRecord = virtual.run(going)
    assert record.failure is not None and record.failure.reason == "no_audio"
    assert record.failure.detail.endswith("; before that: it reported an error")
    assert "One two" not in record.failure.detail and "text of 14 characters" in record.failure.detail
    assert record.said == ("TTS server: can't say One two",)
    warnings = [event.text for event in watched if event.kind == "warning"]
    assert warnings == ["TTS server: it reported an error: can't say One two"]


# Two servers over HTTP.

Answer = Sequence[Incoming] | Exception
ANSWER = (
    Response(200, {"content-type": "text/event-stream"}),
    Body(b'data: {"choices": [{"delta": {"content": "Hello."}}]}\n\n'),
    Body(b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'),
    BodyEnd(),
)


def measured(virtual: Any, answers: Mapping[Role, Answer]) -> RunRecord:
    network = Network(virtual.clock, answers)
    record: RunRecord = virtual.run(runner.run(PLAN, chosen(PLAN.target), network, virtual.clock))
    assert RunRecord.from_json(record.to_json()).said == record.said
    return record


class Network:
    """Each server gives the same answer to whatever it is asked."""

    def __init__(self, clock: Clock, answers: Mapping[Role, Answer]) -> None:
        self._clock = clock
        self._answers = answers

    async def open(self, endpoint: Endpoint, deliver: Deliver, timeout_s: float) -> "Talking":
        del timeout_s
        answer = self._answers.get("tts" if "8001" in endpoint.url else "llm", ())
        if isinstance(answer, ConnectError):
            raise answer
        return Talking(self._clock, deliver, answer)

    async def ask(self, endpoint: Endpoint, request: Request, timeout_s: float) -> None:
        """Nobody says anything of itself."""


class Talking:
    """A link."""

    def __init__(self, clock: Clock, deliver: Deliver, answer: Answer) -> None:
        self._clock = clock
        self._deliver = deliver
        self._answer = answer
        self.stamps = Stamps()

    async def send(self, frame: Outgoing, timeout_s: float) -> int:
        del frame, timeout_s
        if isinstance(self._answer, Exception):
            raise self._answer
        at = self._clock.now()
        for each in self._answer:
            self._deliver(at, each)
        return at

    async def close(self) -> None:
        """Nothing to close."""

    def abort(self) -> None:
        """Nothing to end."""
