"""`probe check-config --probe`: what is right, wrong and unknown of a server, by its answers."""

from typing import Any

import pytest
from msgspec.structs import replace

from probe.cli import findings
from probe.cli.findings import Answers
from probe.plan import ServerPlan
from probe.protocols.inquiries import Sign

LLAMA = Sign("llama.cpp", "b1", ("qwen3",))
GOOD = Answers(
    sign=Sign("vLLM", "0.20", ("a", "b")), signs=True, instead=(), does_the_same=False, voices=("aria", "leo"),
    asks_voices=True, users=0, audio_rate=22000,
)  # fmt: skip
OPTIONS = {"model": "a", "voice": "aria", "sample_rate": 22000}


def found(answers: Answers = GOOD, **options: Any) -> dict[str, str]:
    server = ServerPlan("openai_chat", "http://spark/v1", OPTIONS | options)
    return {each.about: f"{each.state} {each.text}" for each in findings.of(server, answers)}


def test_a_server_that_is_as_configured_is_all_right() -> None:
    assert found() == {
        "protocol": "ok protocol: openai_chat (vLLM 0.20)",
        "model": "ok model: a",
        "voice": "ok voice: aria",
        "users": "ok users: 0 now",
        "sample_rate": "ok sample rate: 22000 Hz",
    }


def test_a_server_that_hears_states_no_rate() -> None:
    """The audio is ours."""
    assert "sample_rate" not in found(replace(GOOD, hears=True, audio_rate=None))


@pytest.mark.parametrize(
    ("answers", "options", "about", "says"),
    [
        ({"sign": None}, {}, "protocol", "unknown protocol: openai_chat, but it does not say that it speaks it"),
        ({"sign": None, "signs": False}, {}, "protocol", "unknown protocol: openai_chat, but it can't be asked"),
        ({"sign": None, "instead": ("magpie (ws://x)",)}, {}, "protocol", "wrong protocol: not openai_chat; what"),
        ({"sign": None, "instead": ("x",), "does_the_same": True}, {}, "protocol", "unknown protocol: nothing says"),
        ({"advice": "no streams: set mode"}, {}, "advice", "wrong no streams: set mode"),
        ({"advice": "ends in /v1", "sign": None}, {}, "advice", "unknown ends in /v1"),
        ({}, {"model": "c"}, "model", "wrong model: it has no c, but a, b; set model"),
        ({}, {"model": None}, "model", "unknown model: none is set, and it has a, b; set model"),
        ({"sign": Sign("Ollama", None, ("a:latest",))}, {}, "model", "ok model: a"),
        ({"sign": LLAMA}, {"model": None}, "model", "ok model: qwen3"),
        ({"sign": LLAMA}, {"model": "c"}, "model", "unknown model: it answers with qwen3, whatever is asked for"),
        ({"sign": Sign()}, {}, "model", "unknown model: it lists none, so a may be right"),
        ({}, {"voice": "bob"}, "voice", "wrong voice: it has no bob, but aria, leo; set voice"),
        ({"voices": None}, {}, "voice", "unknown voice: aria; it does not list its voices"),
        ({"voices": None, "asks_voices": False}, {}, "voice", "unknown voice: aria; servers take this name"),
        ({"users": "unknown"}, {}, "users", "unknown users: it does not say who uses it"),
        ({}, {"sample_rate": 24000}, "sample_rate", "wrong sample rate: it states 22000 Hz, and 24000 are configured"),
        ({"audio_rate": None}, {}, "sample_rate", "unknown sample rate: not said before it speaks; 22000 Hz"),
    ],
)  # fmt: skip
def test_what_is_not_as_configured_says_what_to_do(
    answers: dict[str, Any], options: dict[str, Any], about: str, says: str
) -> None:
    assert found(replace(GOOD, **answers), **options)[about].startswith(says)


def test_what_a_server_has_not_is_no_finding() -> None:
    nothing = replace(GOOD, sign=Sign(), users=None, audio_rate=None)
    assert set(found(nothing, model=None, voice=None, sample_rate=None)) == {"protocol"}


def test_many_names_are_not_all_listed() -> None:
    many = replace(GOOD, voices=tuple(f"v{n}" for n in range(100)))
    assert found(many)["voice"].endswith("v10, v11 and 88 more; set voice to one of them")


def test_without_a_connection_who_is_there_is_said() -> None:
    assert [each.about for each in findings.unreachable("refused", ())] == ["reachable"]
    _, there = findings.unreachable("no WebSocket", ("openai_chat (http://x)",))
    assert there.text == "protocol: what answers there is openai_chat (http://x): set protocol and url to that"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_finding_fits(width: int) -> None:
    server = ServerPlan("openai_chat", "http://spark/v1", OPTIONS | {"voice": "bob"})
    many = replace(GOOD, voices=tuple(f"voice_{n}" for n in range(100)))
    lines = [line for each in findings.of(server, many) for line in each.lines(width)]
    assert max(map(len, lines)) <= width
