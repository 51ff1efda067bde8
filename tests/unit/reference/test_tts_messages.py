"""What a client may send to the TTS server."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.reference.tts_messages import BadInitError, BadRequestError, Cancel, Close, Init, Ping, Request, Text, parse


@pytest.mark.parametrize(
    ("frame", "request_"),
    [
        ({"type": "init"}, Init("aria", "en", "batch")),
        ({"type": "init", "voice": "leo", "language": "de", "default_mode": "stream"}, Init("leo", "de", "stream")),
        ({"type": "text", "text": "Hi"}, Text("Hi")),
        ({"type": "text", "text": "Hi", "mode": "stream", "preset": "fast"}, Text("Hi", "stream")),
        ({"type": "text", "text": "Hi", "mode": None, "preset": 3}, Text("Hi")),
        ({"type": "close"}, Close()),
        ({"type": "cancel"}, Cancel()),
        ({"type": "ping", "more": []}, Ping()),
    ],
)
def test_the_five_requests(frame: dict[str, object], request_: Request) -> None:
    assert parse(json.dumps(frame)) == request_


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("hello", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("9" * 10_000, "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "unknown type: None"),
        ('{"type": "sing"}', "unknown type: 'sing'"),
        ('{"type": {"a": []}}', "unknown type"),
        ('{"type": "text"}', "text must be a string"),
        ('{"type": "text", "text": 5}', "text must be a string"),
        ('{"type": "text", "text": "a", "mode": 5}', "mode must be a string"),
        ('{"type": "init", "voice": null}', "voice must be a string"),
        ('{"type": "init", "language": ["en"]}', "language must be a string"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_reason(frame: str, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        parse(frame)


def test_only_a_bad_init_is_one() -> None:
    with pytest.raises(BadInitError):
        parse('{"type": "init", "voice": 5}')
    with pytest.raises(BadRequestError) as refused:
        parse('{"type": "text"}')
    assert not isinstance(refused.value, BadInitError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["init", "text", "close"]) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "text", "voice", "mode"]), inner),
)


@given(st.text() | JSON.map(json.dumps))
def test_any_frame_is_a_request_or_refused(frame: str) -> None:
    with suppress(BadRequestError):
        assert isinstance(parse(frame), Request)
