"""What servers report before and after a run: asked once each, and merged."""

from collections.abc import Sequence
from typing import Any

import pytest

from probe.config import TargetConfig
from probe.daemon import questions
from probe.daemon.reports import Reports
from probe.protocols.inquiries import Inquiries, Inquiry
from probe.server_state import ServerFigures, ServerState

VLLM = {"llm": {"url": "http://spark:8000/v1"}}
CHUNKED = {"llm": {"url": "ws://spark:8002/ws", "llama_url": "http://spark:8000"}}
SPEECH = {"tts": {"protocol": "vllm_speech", "url": "ws://spark:8091/v1/audio/speech/stream"}}


class Servers:
    """Answer by the address of the first question."""

    def __init__(self, **answers: ServerState | None) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def first(self, inquiries: Inquiries[Any]) -> ServerState | None:
        assert isinstance(inquiries[0], Inquiry)
        place = inquiries[0].url.rpartition("/")[2] + inquiries[0].url.split(":")[2].split("/")[0]
        self.asked.append(place)
        return self.answers.get(place)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    found = Servers()
    monkeypatch.setattr(questions, "first", found.first)
    return found


def reports(**given: Any) -> Reports:
    return Reports(TargetConfig.of(**given).record("t"))


async def asked_for_users(of: Reports) -> Sequence[int | None]:
    return [await of.users(each) for each in of.about_users()]


async def test_a_server_that_counts_is_asked_once_more(servers: Servers) -> None:
    found = reports(**VLLM)
    servers.answers = {"metrics8000": ServerState(1, 2, begun=5, first_token_s=1.0)}
    assert await asked_for_users(found) == [3]
    servers.answers = {"metrics8000": ServerState(9, 9, begun=6, first_token_s=1.5)}
    assert await found.after() == {"llm": ServerFigures(1, 2, first_token_ms=500.0, requests=1)}
    assert found.before() == {"llm": ServerFigures(1, 2)}
    assert servers.asked == ["metrics8000"] * 2


async def test_one_that_does_not_is_not(servers: Servers) -> None:
    found = reports(**VLLM)
    servers.answers = {"metrics8000": ServerState(0, 0)}
    await asked_for_users(found)
    assert await found.after() == {"llm": ServerFigures(0, 0)}
    assert servers.asked == ["metrics8000"]


async def test_the_server_that_does_the_work_knows_most(servers: Servers) -> None:
    found = reports(**CHUNKED)
    servers.answers = {"health8002": ServerState(1), "metrics8000": ServerState(2, 3)}
    assert await asked_for_users(found) == [1, 5]
    assert found.before() == {"llm": ServerFigures(2, 3)}
    # What was said before a longer wait does not stand.
    servers.answers = {"health8002": ServerState(0)}
    assert await asked_for_users(found) == [0, None]
    assert found.before() == {"llm": ServerFigures(0)}


async def test_speech_servers_are_asked_beside_and_hold_up_nobody(servers: Servers) -> None:
    found = reports(**VLLM, **SPEECH)
    servers.answers = {"metrics8091": ServerState(0, 1, queued=1, queue_s=0.0)}
    assert len(found.about_users()) == 1
    await found.ask_others()
    servers.answers = {"metrics8091": ServerState(0, 0, queued=3, queue_s=0.5)}
    assert await found.after() == {"tts": ServerFigures(0, 1, queue_ms=250.0)}


async def test_servers_that_say_nothing_report_nothing(servers: Servers) -> None:
    found = reports(**CHUNKED)
    await found.ask_all()
    assert (found.before(), await found.after()) == ({}, {})
    assert sorted(servers.asked) == ["health8002", "metrics8000"]
