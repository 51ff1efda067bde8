"""Which server a failure is of."""

import pytest

from probe.blame import may_fail, server_of
from probe.plan import Role
from probe.record import REASONS, Stage


@pytest.mark.parametrize(
    ("stage", "servers", "server"),
    [
        ("llm", ("llm", "tts"), "llm"),
        ("tts", ("stt", "llm", "tts"), "tts"),
        ("audio", ("llm", "tts"), "tts"),
        ("llm", ("agent",), "agent"),
        ("audio", ("stt", "agent"), "agent"),
        ("connect", ("llm", "tts"), None),
        ("internal", ("llm", "tts"), None),
        ("internal", ("agent",), None),
    ],
)
def test_a_stage_is_the_work_of_one_server(stage: Stage, servers: tuple[Role, ...], server: Role | None) -> None:
    assert server_of(stage, servers) == server


@pytest.mark.parametrize(
    ("servers", "at_work"),
    [
        (("llm", "tts"), {"llm": "llm", "tts": "tts", "audio": "tts", "internal": None}),
        (("agent",), {"llm": "agent", "tts": "agent", "audio": "agent", "internal": None}),
        (("stt", "llm", "tts"), {"stt": "stt", "llm": "llm", "tts": "tts", "audio": "tts", "internal": None}),
        (("stt", "agent"), {"stt": "stt", "llm": "agent", "tts": "agent", "audio": "agent", "internal": None}),
    ],
)
def test_only_what_a_server_can_do_wrong_may_fail_there(
    servers: tuple[Role, ...], at_work: dict[Stage, Role | None]
) -> None:
    failures = [*may_fail(servers)]
    assert len(set(failures)) == len(failures)
    of_connecting = {(server, "connect", reason) for server in servers for reason in REASONS["connect"]}
    of_work = {(server, stage, reason) for stage, server in at_work.items() for reason in REASONS[stage]}
    if "stt" not in servers:
        of_work.remove((None, "internal", "user_audio"))
    assert set(failures) == of_connecting | of_work


def test_an_agent_that_is_asked_with_speech_may_fail_to_hear_it() -> None:
    more = {*may_fail(["agent"], hears=True)} - {*may_fail(["agent"])}
    assert more == {*(("agent", "stt", reason) for reason in REASONS["stt"]), (None, "internal", "user_audio")}
