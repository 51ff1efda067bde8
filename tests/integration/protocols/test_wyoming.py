"""Whole runs with a Wyoming server: one that answers by script, and `wyoming-piper`, which others wrote."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import patience
import pytest
from other_speech import VOICE, piper

from probe.config import ScenarioConfig, TargetConfig
from probe.daemon import questions
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.plan import ServerPlan, new_plan
from probe.protocols.wyoming import PROTOCOL
from probe.record import RunRecord, ServerIdentity
from probe.reference.faults import Drop, LlmScript, Raw, Repeat, ScriptedLlm, Stall, Wait, refusing_port
from probe.reference.faults.connection import Steps
from probe.reference.faults.llm import HEALTHY_TURN, LlmTurn, last_chunk
from probe.reference.faults.wyoming import ScriptedWyoming, WyomingScript, error, speech

# The first synthesis loads the voice.
PATIENT = {"connect_s": 60, "llm_s": 60, "tts_s": 120, "run_s": 170}
LONG = last_chunk(" I am here, and I am glad to speak to you." * 10)


async def run(url: str, turn: LlmTurn = HEALTHY_TURN, *, turns: int = 1, **options: Any) -> RunRecord:
    async with ScriptedLlm(LlmScript(turns=(turn,))) as llm_server:
        target = TargetConfig.of(
            llm={"url": llm_server.url}, tts={"url": url, **options}, limits=PATIENT, objective_ms=100_000
        )
        scenario = ScenarioConfig.of(turns=turns, turn_pause_s=0.0)
        plan = new_plan(target.record("wyoming"), scenario.record("default"))
        return (await measure(plan, patience.PATIENT)).record


def at(url: str) -> ServerPlan:
    return ServerPlan("wyoming", url, {})


# One that answers by script


async def test_each_text_has_a_connection_of_its_own() -> None:
    async with ScriptedWyoming() as server:
        record = await run(server.url, turns=2, voice="aria")
    assert outcome(record) == "ok", record.failure
    asked = [each for each in server.log.received("event") if each.json["type"] == "synthesize"]
    assert [each.connection for each in asked] == [1, 2, 3, 4]
    assert [each.json["data"] for each in asked] == [
        {"text": chunk.text, "voice": {"name": "aria"}} for turn in record.turns for chunk in turn.chunks
    ]
    assert [each.server for each in record.connects].count("tts") == 4
    assert {chunk.sample_rate for turn in record.turns for chunk in turn.chunks} == {22_050}
    assert {chunk.segment_end for turn in record.turns for chunk in turn.chunks} == {"marker"}


async def test_a_server_that_ends_idle_connections_is_asked_on_another() -> None:
    """Whether its end is read before the text is there, or only after it was sent."""
    slow = ((Wait(0.2), *HEALTHY_TURN[0]), *HEALTHY_TURN[1:])

    class Impatient(ScriptedWyoming):
        async def talk(self, connection: Any, script: Any) -> None:
            if connection.number == 1:
                connection.drop()
            await super().talk(connection, script)

    async with Impatient() as server:
        record = await run(server.url, slow)
    assert outcome(record) == "ok", record.failure


async def test_two_urls_are_enough() -> None:
    async with ScriptedWyoming() as server, ScriptedLlm() as llm_server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "probe", "run", "--llm-url", llm_server.url, "--tts-url", server.url, "--json",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await asyncio.wait_for(process.communicate(), 60)
    # A busy machine may make it suspect.
    assert process.returncode in (0, 4), errors.decode()
    assert b'"outcome"' in output


# What it says of itself


async def test_it_is_asked_over_its_own_protocol() -> None:
    async with ScriptedWyoming() as server:
        identity = await questions.identity(PROTOCOL.identity(at(server.url)))
        assert identity == ServerIdentity(None, "scripted 1.2")
        assert await questions.first(PROTOCOL.voices(at(server.url))) == ("aria", "leo")
        assert server.log.received("event")[0].json == {"type": "describe", "data": {}}


@pytest.mark.parametrize(
    "info",
    [
        (Drop(),),
        (error("no"), Drop()),
        (Raw(b'{"type": "info", "data_length": 100000000}\n'), Drop()),
        (Raw(b'{"type": "info", "data_length": 1000}\n{'), Drop()),
        (Repeat((Raw(b"x" * 4096),), times=100), Drop()),
    ],
    ids=["closed", "error", "too long", "cut", "no line"],
)
async def test_a_server_that_does_not_describe_itself_is_unknown(info: Steps) -> None:
    async with ScriptedWyoming(WyomingScript(info=info)) as server:
        assert await questions.identity(PROTOCOL.identity(at(server.url))) == ServerIdentity()


async def test_no_answer_in_time_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As while it speaks: a server of one thread describes itself afterwards."""
    monkeypatch.setattr(questions, "ASK_TIMEOUT_S", 0.1)
    async with ScriptedWyoming(WyomingScript(info=(Stall(),))) as server:
        assert await questions.first(PROTOCOL.voices(at(server.url))) is None
    with refusing_port() as port:
        assert await questions.first(PROTOCOL.voices(at(f"tcp://127.0.0.1:{port}"))) is None


# One that others wrote


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with piper(tmp_path_factory.mktemp("piper")) as url:
        yield url


@pytest.mark.servers
@pytest.mark.parametrize("options", [{}, {"voice": VOICE}, {"mode": "streamed"}], ids=["whole", "voice", "streamed"])
async def test_what_piper_speaks_is_measured(real: str, options: dict[str, Any]) -> None:
    record = await run(real, turns=2, **options)
    assert outcome(record) == "ok", record.failure or record.doubts
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        spoken = zip(turn.chunks, measured.chunks, strict=True)
        # A stream is heard as one, though the scripted server pauses in the middle of its answer.
        for chunk, figures in [*spoken][: 1 if options.get("mode") == "streamed" else None]:
            assert (chunk.sample_rate, chunk.segment_end) == (22_050, "marker")
            assert figures.audio_duration_ms is not None and 300 < figures.audio_duration_ms < 5000
            assert figures.tts_ttfb_ms is not None and figures.tts_ttfb_ms > 0


@pytest.mark.servers
@pytest.mark.parametrize("mode", ["whole", "streamed"])
async def test_what_piper_streams_begins_long_before_its_end(real: str, mode: str) -> None:
    """It sends each sentence when it is made: the first takes a tenth of the time, or little more."""
    record = await run(real, (LONG,), mode=mode)
    assert outcome(record) == "ok", record.failure or record.doubts
    (spoken,) = record.turns[0].chunks
    assert spoken.tts_text_sent and spoken.tts_first_audio and spoken.tts_segment_done
    first, all_of_it = (at - spoken.tts_text_sent for at in (spoken.tts_first_audio, spoken.tts_segment_done))
    assert first / all_of_it < 0.5


@pytest.mark.servers
async def test_a_text_without_a_word_is_no_failure_though_piper_has_an_error_for_it(real: str) -> None:
    record = await run(real, (last_chunk(" ..."),))
    assert record.failure is None or record.failure.stage != "tts", record.failure


@pytest.mark.servers
async def test_a_voice_that_piper_lacks_is_named(real: str) -> None:
    record = await run(real, voice="nobody")
    assert record.failure is not None and (record.failure.stage, record.failure.reason) == ("tts", "unknown_voice")
    assert "VoiceNotFoundError: nobody" in " ".join(record.said)


@pytest.mark.servers
async def test_piper_describes_itself_with_all_its_voices(real: str) -> None:
    assert await questions.identity(PROTOCOL.identity(at(real))) == ServerIdentity(None, "piper 2.5.2")
    assert VOICE in (await questions.first(PROTOCOL.voices(at(real))) or ())


async def test_a_scripted_server_is_right_for_what_is_said_of_it() -> None:
    """The same text, the same audio, however it is handed over."""
    answers = (speech(200), speech(200))
    async with ScriptedWyoming(WyomingScript(answers=answers)) as server:
        record = await run(server.url)
    chunks = record.turns[0].chunks
    assert [round(figures.audio_duration_ms or 0) for figures in measure_run(record)[0].chunks] == [200] * len(chunks)
