"""A turn with a TTS NIM over HTTP: the form that is sent, how its answer is read, and what it says of itself."""

from typing import Any

import pytest

from probe.plan import ServerPlan
from probe.protocols.base import Audio, AudioFormat, Connect, Ready, Refused, SegmentEnd, Send, Step, Terms
from probe.protocols.riva import OVER_HTTP
from probe.protocols.riva.nim import NimConversation
from probe.record import ServerIdentity
from probe.transport.framing.base import Body, BodyEnd, Incoming, Request, Response

URL = "http://spark:9000"
OPTIONS = {"language": "en-US", "sample_rate": 22_050}
PCM = b"\1\2\3\4"


def conversation(url: str = URL, **options: Any) -> NimConversation:
    talk = NimConversation(Terms(ServerPlan("riva_http", url, OPTIONS | options), "run", 10.0))
    assert [*talk.open(0)] == [Connect(), Ready()]
    return talk


def asked(talk: NimConversation, text: str = "Grüß dich.") -> Request:
    last = [*talk.speak(text, 1)][-1]
    assert isinstance(last, Send) and isinstance(last.frame, Request)
    return last.frame


def answered(response: Response, *pieces: bytes) -> list[Step]:
    talk = conversation()
    asked(talk)
    frames: list[Incoming] = [response, *map(Body, pieces), BodyEnd()]
    return [step for frame in frames for step in talk.received(frame, 2)]


def form(request: Request) -> dict[str, str]:
    kind, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data" and len(boundary) <= 70
    first, *parts, last = request.body.decode().split(f"--{boundary}")
    assert (first, last) == ("", "--\r\n")
    found = {}
    for part in parts:
        head, _, value = part.removesuffix("\r\n").partition("\r\n\r\n")
        found[head.removeprefix('\r\nContent-Disposition: form-data; name="').removesuffix('"')] = value
    return found


def test_a_text_is_a_form() -> None:
    request = asked(conversation(voice="Magpie.Aria"), 'Two\r\nlines, "quoted".')
    assert (request.method, request.target) == ("POST", "/v1/audio/synthesize_online")
    assert form(request) == {
        "text": 'Two\r\nlines, "quoted".',
        "language": "en-US",
        "sample_rate_hz": "22050",
        "encoding": "LINEAR_PCM",
        "voice": "Magpie.Aria",
    }
    assert "voice" not in form(asked(conversation()))
    assert form(asked(conversation(), "Hello \ud83d."))["text"] == "Hello ?."


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://spark:9000/", "/v1/audio/synthesize_online"),
        ("http://spark:9000/v1", "/v1/audio/synthesize_online"),
        ("http://spark:9000/v1/audio/synthesize_online", "/v1/audio/synthesize_online"),
        ("http://spark/magpie/v1/", "/magpie/v1/audio/synthesize_online"),
    ],
)
def test_a_url_may_be_the_server_its_api_or_what_speaks(url: str, path: str) -> None:
    assert asked(conversation(url)).target == path


@pytest.mark.parametrize("kind", ["application/octet-stream", "audio/wav", "", "audio/l16;rate=8000", "audio/x"])
def test_samples_are_as_they_were_asked_for_whatever_they_are_called(kind: str) -> None:
    assert answered(Response(200, {"content-type": kind}), PCM, PCM) == [
        AudioFormat(22_050), Audio(PCM), Audio(PCM), SegmentEnd(how="end"),
    ]  # fmt: skip


def test_what_is_none_is_refused() -> None:
    wrong = Refused("JSON instead of 16-bit mono PCM", "queued", reason="wrong_format")
    assert answered(Response(200, {"content-type": "application/json"}), b'{"detail": "queued"}') == [wrong]
    unknown = Refused("HTTP 400 for /v1/audio/synthesize_online", "Voice x not found", reason="unknown_voice")
    assert answered(Response(400, {}), b'{"error": "Voice x not found"}') == [unknown]
    loading = Refused("HTTP 503 for /v1/audio/synthesize_online", "Model is loading", reason="loading")
    assert answered(Response(503, {}), b'{"message": "Model is loading"}') == [loading]


def test_what_it_says_of_itself() -> None:
    plan = ServerPlan("riva_http", "http://spark:9000/v1", OPTIONS, {"authorization": "x"})
    (identity,), (voices,), (ready, loading) = OVER_HTTP.identity(plan), OVER_HTTP.voices(plan), OVER_HTTP.cold(plan)
    every: Any = (identity, voices, ready, loading)
    assert [each.url.removeprefix("http://spark:9000/v1") for each in every] == [
        "/metadata", "/audio/list_voices", "/health/ready", "/health/ready",
    ]  # fmt: skip
    assert {each.headers["authorization"] for each in every} == {"x"}
    read: Any = {"identity": every[0].read, "voices": every[1].read}
    assert read["identity"](b'{"version": "1.7.0", "modelInfo": [{"shortName": "magpie"}]}') == ServerIdentity(
        "magpie", "1.7.0"
    )
    assert [(each.statuses, each.read(b"")) for each in every[2:]] == [((200,), False), ((503,), True)]
    assert read["voices"](b'{"en-US,de-DE": {"voices": ["a", "b", 7]}, "fr-FR": {"voices": ["a"]}}') == ("a", "b")
    for nothing in (b"", b"[]", b'{"modelInfo": [7], "version": 1}', b'{"x": {"voices": 7}, "modelInfo": {}}'):
        assert (read["identity"](nothing), read["voices"](nothing)) == (ServerIdentity(), None)
