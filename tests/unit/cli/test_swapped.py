"""Are the two URLs swapped? What a failure makes of what the servers answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from runs import START, failed, refused
from targets import with_server

from probe.cli import swapped
from probe.protocols.inquiries import Inquiry
from probe.record import Failure, RunRecord

LLM, TTS = "ws://spark:8001/ws/tts/stream", "http://spark:8080/v1"


def confused(reason: str = "not_found") -> RunRecord:
    made = refused()
    target = with_server(with_server(made.plan.target, "llm", url=LLM), "tts", url=TTS)
    plan = replace(made.plan, target=target)
    return replace(made, plan=plan, failure=Failure("llm", reason, "", START))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that were asked; the first of them alone lists voices."""
    urls: list[str] = []

    async def first(inquiries: Sequence[Inquiry[Any]]) -> Any:
        urls.extend(each.url for each in inquiries)
        assert all(not each.headers for each in inquiries)
        return ("aria",) if inquiries[0].url.startswith(voices_at[0]) else None

    voices_at = ["http://spark:8001/"]
    monkeypatch.setattr("probe.cli.swapped.questions.first", first)
    return urls


def test_voices_at_the_llms_url_alone_mean_so(asked: list[str]) -> None:
    assert "are the two URLs swapped?" in (swapped.hint(confused()) or "")
    assert {"http://spark:8001/v1/audio/config", "http://spark:8080/v1/audio/voices"} <= set(asked)


def test_a_server_that_does_both_is_not_swapped(asked: list[str]) -> None:
    made = confused()
    both = {role: replace(server, url=LLM) for role, server in made.plan.target.servers.items()}
    plan = replace(made.plan, target=replace(made.plan.target, servers=both))
    assert swapped.hint(replace(made, plan=plan)) is None
    assert asked


def test_nobody_is_asked_where_the_failure_is_another(asked: list[str]) -> None:
    assert swapped.hint(confused("refused")) is None
    assert swapped.hint(replace(confused(), failure=None)) is None
    spoke = failed()
    assert swapped.hint(replace(spoke, failure=Failure("tts", "closed", "", START))) is None, "the LLM is one"
    assert asked == []
