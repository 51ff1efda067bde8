"""An agent, from the configuration to the metrics: one server that thinks and speaks."""

import json
from pathlib import Path

import patience
import pytest

from probe import config
from probe.daemon.plans import entries
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.metrics.observations import SERIES, observations
from probe.plan import new_plan
from probe.protocols.registry import answering
from probe.record import RunRecord
from probe.reference.faults import Raw, Stall, Wait, realtime, speech, wire
from probe.reference.faults.realtime import RealtimeScript, ScriptedRealtime
from probe.report import document, terminal
from probe.tracing.spans import spans


async def run(tmp_path: Path, script: RealtimeScript, more: str = "") -> tuple[RunRecord, ScriptedRealtime]:
    async with ScriptedRealtime(script) as server:
        path = tmp_path / "probe.toml"
        path.write_text(
            f'[targets.t]\nobjective_ms = 60_000\n[targets.t.agent]\nurl = "{server.url}"\nmodel = "m"\n[scenarios.s]\n'
            f"turn_pause_s = 0\n{more}"
        )
        (entry,) = entries(config.load(path))
        done = await measure(new_plan(entry.target, entry.scenario), tolerance=patience.PATIENT)
    return RunRecord.from_json(done.record.to_json()), server


async def test_two_turns_from_the_configuration_to_what_is_read_of_them(tmp_path: Path) -> None:
    script = RealtimeScript(answers=(realtime.answer(first=0.03, sound_first=0.03),))
    record, server = await run(tmp_path, script, 'user_turns = ["One?", "Two?"]')
    assert outcome(record) == "ok", record.failure
    assert [connect.server for connect in record.connects] == ["agent"]
    request = server.log.received("http")[0].data
    assert request.startswith(b"GET /v1/realtime?model=m ") and b"traceparent" in request
    kinds = [entry.json["type"] for entry in server.log.received("text")]
    assert kinds == ["session.update", *("conversation.item.create", "response.create") * 2]
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        (chunk,), (figures,) = turn.chunks, measured.chunks
        assert (chunk.text, chunk.tts_text_sent, chunk.segment_end) == (" Hello there.", None, "marker")
        assert (chunk.llm_done, chunk.sample_rate) == (chunk.llm_last_token, 24_000)
        assert (turn.model, turn.usage_tokens) == ("scripted", 5)
        assert measured.response_ttfb_ms == pytest.approx((figures.llm_ttft_ms or 0) + (figures.tts_ttfb_ms or 0))
        assert (measured.llm_tokens_per_second, measured.llm_longest_stall_ms) == (None, None)
        assert (figures.tts_wait_ms, figures.tts_gen_time_ms, figures.probe_delay_ms) == (None, None, None)
    assert {(each.name, each.position) for each in observations(record)} == SERIES[answering(record.plan.target)]
    names = [span.name for span in spans(record)]
    assert names.count("chat m") == names.count("text_to_speech m") == 2
    assert json.dumps(document.document(record)) and [*terminal.report(record, 100)]


async def test_an_agent_that_shows_no_text_has_what_can_be_heard(tmp_path: Path) -> None:
    pcm = speech.samples(400, 0, realtime.RATE)
    answer = (realtime.CREATED, *realtime.sounds(pcm, "beta"), realtime.sound_done("beta"), realtime.done())
    record, _ = await run(tmp_path, RealtimeScript(answers=(answer,)))
    assert outcome(record) == "ok", record.failure
    ((measured,),) = (turn.chunks for turn in measure_run(record))
    assert measured.combined_ttfa_ms is not None
    assert (measured.llm_ttft_ms, measured.llm_gen_time_ms, measured.tts_ttfb_ms) == (None, None, None)
    assert [*terminal.report(record, 100)]
    assert len(spans(record)) > 1


async def test_text_that_comes_after_the_sound_is_no_stage(tmp_path: Path) -> None:
    pcm = speech.samples(400, 0, realtime.RATE)
    answer = (realtime.CREATED, *realtime.sounds(pcm), Wait(0.02), realtime.all_words("Hello there."), realtime.done())
    record, _ = await run(tmp_path, RealtimeScript(answers=(answer,)))
    assert outcome(record) == "ok", (record.failure, record.doubts)
    ((measured,),) = (turn.chunks for turn in measure_run(record))
    assert (measured.tts_ttfb_ms, record.turns[0].chunks[0].segment_end) == (None, "done")
    assert (measured.llm_ttft_ms or 0) > (measured.combined_ttfb_ms or 0)


async def test_an_answer_without_an_end_is_cancelled_once_there_is_enough(tmp_path: Path) -> None:
    pcm = speech.samples(400, 0, realtime.RATE)
    words = [step for _ in range(200) for step in (realtime.words(" word"), Wait(0.005))]
    answer = (realtime.CREATED, *realtime.sounds(pcm), *words)
    record, server = await run(tmp_path, RealtimeScript(answers=(answer,)), "max_answer_tokens = 10")
    assert outcome(record) == "ok", record.failure
    assert server.log.received("text")[-1].json["type"] == "response.cancel"
    (chunk,) = record.turns[0].chunks
    assert chunk.stop_reason == "limit" and 20 <= chunk.token_count < 200
    assert (chunk.tts_segment_done, chunk.audio_bytes) == (None, len(pcm))


async def test_text_behind_a_flood_is_no_text_of_the_answer(tmp_path: Path) -> None:
    """It was kept and looked through: 8 million characters, which took 67 ms in one turn of the event loop."""
    kind = "response.output_audio_transcript.delta"
    texts = ["x" * 30_000] * 3 + ["**spoken markup**"]
    written = b"".join(wire.frame(wire.TEXT, json.dumps({"type": kind, "delta": text}).encode()) for text in texts)
    answer = (realtime.CREATED, Raw(written), Stall())
    record, _ = await run(tmp_path, RealtimeScript(answers=(answer,)))
    assert record.failure is not None and record.failure.reason == "flood"
    assert [doubt for doubt in record.doubts if "markdown" in doubt] == []


@pytest.mark.parametrize("beside", ["llm", "tts"])
def test_an_agent_leaves_no_work_to_others(tmp_path: Path, beside: str) -> None:
    path = tmp_path / "probe.toml"
    path.write_text(f'[targets.t.agent]\nvoice = ""\n[targets.t.{beside}]\nurl = "ws://h"\nnothing = 1\n')
    with pytest.raises(config.ConfigError) as caught:
        config.load(path)
    keys = [line.partition(": ")[2].partition(":")[0] for line in str(caught.value).splitlines()]
    assert sorted(keys) == ["targets.t.agent", "targets.t.agent.voice", f"targets.t.{beside}.nothing"]
