"""Whole runs on virtual time: every timestamp is known, so every measure is."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from fakes import DROP, GONE, FakeNetwork, JoiningTts, frames, llm, newer_tts, older_tts, say, tone

from probe.config import ScenarioConfig, TargetConfig
from probe.engine import runner
from probe.engine.turn import MAX_EMPTY_CHUNKS
from probe.measures import measure_run, outcome, summarise
from probe.plan import Plan
from probe.protocols.registry import chosen
from probe.record import RunRecord
from probe.transport.framing.base import Text

if TYPE_CHECKING:
    from probe.progress import Event

PLAN = Plan(
    run_id="r1",
    trace_id="0123456789abcdef0123456789abcdef",
    span_id="0123456789abcdef",
    target=TargetConfig().record("test"),
    scenario=ScenarioConfig.of(system_prompt="Be brief.", user_turns=["Hello?"]).record("test"),
)


# What no server keeps back.
TEN_WORDS = "Why did the unicorn cross the wide road last night"


def turns(count: int, plan: Plan = PLAN) -> Plan:
    return replace(plan, scenario=replace(plan.scenario, user_turns=("Hello?",) * count))


def go(virtual: Any, network: FakeNetwork, plan: Plan = PLAN, **kwargs: Any) -> RunRecord:
    going = runner.run(plan, chosen(plan.target), network(virtual.clock), virtual.clock, **kwargs)
    record: RunRecord = virtual.run(going)
    assert RunRecord.from_json(record.to_json()) == record
    return record


def spoken(ms: float, ttfb: float = 0.2, pace: float = 0.0) -> list[Any]:
    steps: list[Any] = [ttfb]
    for frame in frames(tone(ms)):
        steps += [frame, pace]
    return steps


def test_the_newer_generation_ends_a_segment_with_its_marker(virtual: Any) -> None:
    network = FakeNetwork(
        llm(say("Why did the unicorn"), say(" cross the road?", done=True, ttft=0.03)),
        newer_tts(spoken(1000), spoken(800, ttfb=0.3)),
    )
    record = go(virtual, network)
    assert record.failure is None
    first, second = measure_run(record)[0].chunks
    assert first.llm_ttft_ms == pytest.approx(100)
    assert first.llm_gen_time_ms == pytest.approx(130)
    assert first.tts_ttfb_ms == pytest.approx(200)
    assert first.tts_gen_time_ms == pytest.approx(200)
    assert first.combined_ttfb_ms == pytest.approx(330)
    assert first.audio_duration_ms == pytest.approx(1000)
    assert first.playout_gap_ms is None
    assert [c.segment_end for c in record.turns[0].chunks] == ["marker", "marker"]
    assert second.llm_ttft_ms == pytest.approx(30)
    assert second.playout_gap_ms == 0
    assert outcome(record) == "ok"
    assert summarise(record).response_ttfb_ms == pytest.approx(330)
    assert network.sent("llm", "end_stream") and network.closed
    assert not network.sent("tts", "cancel")


def test_the_older_generation_ends_a_segment_with_a_gap_or_with_done(virtual: Any) -> None:
    network = FakeNetwork(
        llm(say("Why did the unicorn"), say(" cross the road?", done=True)),
        older_tts(spoken(500), spoken(500)),
    )
    record = go(virtual, network)
    assert record.failure is None
    first, second = measure_run(record)[0].chunks
    assert [c.segment_end for c in record.turns[0].chunks] == ["gap", "done"]
    assert first.tts_gen_time_ms == pytest.approx(200), "the gap that showed its end was our wait"
    assert first.tts_stream_time_ms == pytest.approx(200)
    assert second.tts_gen_time_ms == pytest.approx(210)


def test_a_one_word_text_is_held_two_seconds_and_its_audio_is_merged(virtual: Any) -> None:
    network = FakeNetwork(llm(say("Sure"), say(", here it is.", done=True)), older_tts([], spoken(900)))
    record = go(virtual, network)
    held, second = record.turns[0].chunks
    assert held.segment_end == "merged"
    assert (held.audio_bytes, held.tts_first_audio, held.tts_segment_done) == (0, None, None)
    assert held.tts_text_sent is not None
    assert second.began - held.tts_text_sent == pytest.approx(2e9)
    turn = measure_run(record)[0]
    assert turn.response_ttfb_ms == pytest.approx(100 + 130 + 200), "the 2 s that we held are ours"
    assert turn.chunks[1].combined_ttfb_ms == pytest.approx(130 + 200)
    assert outcome(record) == "ok"


def test_a_held_text_is_spoken_by_close_when_no_other_text_comes(virtual: Any) -> None:
    def tts() -> Any:
        def peer(request: dict[str, Any]) -> Any:
            match request["type"]:
                case "init":
                    return [0.0, {"type": "stream_created"}]
                case "close":
                    return [0.2, tone(300), 0.01, {"type": "done"}, DROP]
            return []

        return peer

    record = go(virtual, FakeNetwork(llm(say("Sure"), say("", done=True)), tts))
    assert record.failure is None
    assert [c.segment_end for c in record.turns[0].chunks] == ["done", None]
    assert record.turns[0].chunks[0].audio_bytes == 13200


def test_a_held_text_that_is_never_spoken_is_missing_audio(virtual: Any) -> None:
    record = go(virtual, FakeNetwork(llm(say("Sure"), say("", done=True)), older_tts([])))
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason, record.failure.chunk_num) == ("audio", "missing", 1)


def test_a_slow_newer_server_gets_its_audio_back_by_the_marker(virtual: Any) -> None:
    """One word, no audio for 3 s: assumed to be held back, until the marker says that it was slow."""
    network = FakeNetwork(
        llm(say("Sure"), say(", here it is.", done=True)), newer_tts(spoken(400, ttfb=3.0), spoken(900, ttfb=3.0))
    )
    record = go(virtual, network)
    first, second = record.turns[0].chunks
    assert first.segment_end == "marker"
    assert measure_run(record)[0].chunks[0].tts_ttfb_ms == pytest.approx(3000)
    assert second.audio_bytes == len(tone(900))
    assert record.doubts == ()


def test_a_server_that_keeps_texts_below_four_seconds_is_not_waited_for(virtual: Any) -> None:
    """As the older one is out of the box: four words of 400 ms are kept until there are ten."""
    network = FakeNetwork(
        llm(
            say("Why did the unicorn"),
            say(" cross the road in the middle of the night?"),
            say(" Nobody knows.", done=True),
        ),
        older_tts([], spoken(4000), spoken(700)),
    )
    record = go(virtual, network)
    assert record.failure is None
    assert [c.segment_end for c in record.turns[0].chunks] == ["merged", "gap", "done"]
    assert record.doubts == ()
    kept, second, _ = record.turns[0].chunks
    assert second.began - (kept.tts_text_sent or 0) == pytest.approx(2e9)


@pytest.mark.parametrize("generation", ["older", None])
def test_a_server_that_is_known_to_keep_a_text_gets_the_next_one_at_once(virtual: Any, generation: str | None) -> None:
    """Eight words of ten: a client that goes on hears them with the next ones, and so does the probe."""
    chunks = [
        say("Why did the unicorn cross the wide road"),
        say(" , my dear friend?"),
        say(" Nobody knows.", done=True),
    ]
    server = JoiningTts(ttfb=0.3, target_ms=4000)
    plan = replace(PLAN, target=TargetConfig.of(tts={"generation": generation}).record("test"))
    record = go(virtual, FakeNetwork(llm(*chunks), server), plan)
    first, second, _ = record.turns[0].chunks
    waited_s = (second.began - (first.tts_text_sent or 0)) / 1e9
    assert waited_s == pytest.approx(0 if generation else 2)
    assert [chunk.segment_end for chunk in record.turns[0].chunks] == ["merged", "gap", "done"]
    assert server.spoken == ["Why did the unicorn cross the wide road , my dear friend?", " Nobody knows."]
    assert measure_run(record)[0].response_ttfb_ms == pytest.approx(170 + 140 + 300), "what such a client hears"
    assert outcome(record) == "ok"


def test_texts_of_one_word_each_are_waited_for_once(virtual: Any) -> None:
    """As an older server counts, Chinese has no words: it speaks all of it at the end."""
    server = JoiningTts(ttfb=0.3, target_ms=500)
    record = go(virtual, FakeNetwork(llm(*map(say, ["你好。", "你是谁?", "再见。"]), say("走好。", done=True)), server))
    assert server.spoken == ["你好。你是谁?再见。走好。"]
    assert [chunk.segment_end for chunk in record.turns[0].chunks] == ["merged", "merged", "merged", "done"]
    assert measure_run(record)[0].response_ttfb_ms == pytest.approx(4 * 100 + 300)
    assert record.ended - record.started < 3e9, "the two seconds were waited for once"
    assert outcome(record) == "ok"


def test_a_slow_older_server_is_told_from_one_that_keeps_texts(virtual: Any) -> None:
    """It looks the same after two seconds; in the end there are as many segments as texts."""
    network = FakeNetwork(
        llm(say("Why did the unicorn"), say(" cross the road?"), say(" Nobody knows.", done=True)),
        older_tts(spoken(1000, ttfb=3.0), spoken(900, ttfb=3.0), spoken(700, ttfb=3.0)),
    )
    record = go(virtual, network)
    assert record.doubts == ()
    assert [c.audio_bytes for c in record.turns[0].chunks] == [len(tone(ms)) for ms in (1000, 900, 700)]
    assert measure_run(record)[0].chunks[0].tts_ttfb_ms == pytest.approx(3000)
    assert measure_run(record)[0].response_ttfb_ms == pytest.approx(130 + 3000)
    assert outcome(record) == "slow"


RESPONSE = (
    "Why did the unicorn cross the",
    " road in the middle of the night, alone?",
    " Because it wanted to see the other side of it.",
    " Nobody knows for sure.",
    " The end.",
)


@pytest.mark.parametrize("first", ["", "Well"])
@pytest.mark.parametrize("target_ms", [500.0, 4000.0])
@pytest.mark.parametrize("ttfb", [0.3, 1.5, 2.3, 3.5])
def test_whose_audio_is_whose_on_an_older_server(virtual: Any, ttfb: float, target_ms: float, first: str) -> None:
    """Slow or not, whatever it keeps back: each segment's audio is with the last of the texts that it speaks."""
    texts = [*([first] if first else []), *RESPONSE]
    server = JoiningTts(ttfb=ttfb, target_ms=target_ms)
    chunks = [say(text, done=text is texts[-1]) for text in texts]
    record = go(virtual, FakeNetwork(llm(*chunks), server))
    assert record.failure is None
    heard, unspoken = [], ""
    for chunk in record.turns[0].chunks:
        unspoken += chunk.text
        if chunk.audio_bytes:
            heard.append(unspoken)
            assert chunk.audio_bytes == len(tone(server.MS_PER_WORD * len(unspoken.split())))
            unspoken = ""
    assert heard == server.spoken
    assert record.doubts == ()
    assert outcome(record) == ("ok" if ttfb == 0.3 else "slow"), "what the probe held back is none of the server's"


def test_a_slow_server_is_waited_for(virtual: Any) -> None:
    network = FakeNetwork(
        llm(say("Why did the unicorn", ttft=4.0), say(" cross it?", done=True)),
        older_tts(spoken(500, ttfb=6.0), spoken(500, ttfb=6.0)),
    )
    record = go(virtual, network)
    assert outcome(record) == "slow"
    assert measure_run(record)[0].chunks[0].combined_ttfb_ms == pytest.approx(4030 + 6000)


def test_empty_and_white_chunks_are_not_sent(virtual: Any) -> None:
    network = FakeNetwork(
        llm(say(""), say("One two three."), say("\n\n"), say("Four five six.", done=True)),
        newer_tts(spoken(400), spoken(400)),
    )
    record = go(virtual, network)
    assert [m["text"] for m in network.sent("tts", "text")] == ["One two three.", "\n\nFour five six."]
    empty, first, white, last = record.turns[0].chunks
    assert empty.tts_text_sent is white.tts_text_sent is None
    assert empty.llm_done is not None
    assert first.inference_start == empty.llm_done
    assert last.segment_end == "marker"
    assert outcome(record) == "ok"


def test_done_on_the_first_chunk(virtual: Any) -> None:
    record = go(virtual, FakeNetwork(llm(say("Yes", done=True)), older_tts([0.1, tone(300)])))
    assert outcome(record) == "ok"
    assert [c.segment_end for c in record.turns[0].chunks] == ["done"]


def test_late_audio_goes_to_its_segment_and_the_chunk_says_so(virtual: Any) -> None:
    burst = tone(300)
    network = FakeNetwork(
        llm(say("Why did the unicorn"), say(" cross the road?", done=True, ttft=0.3)),
        older_tts([0.2, burst, 0.3, burst], [0.2, burst, 0.01, burst]),
    )
    record = go(virtual, network)
    first, second = record.turns[0].chunks
    assert (first.audio_bytes, first.late_audio_bytes) == (2 * len(burst), len(burst))
    assert (second.audio_bytes, second.late_audio_bytes) == (2 * len(burst), 0)
    assert first.tts_last_audio is not None and first.tts_segment_done is not None
    assert first.tts_last_audio > first.tts_segment_done
    assert outcome(record) == "ok"


def test_audio_that_may_be_another_texts_makes_the_run_suspect(virtual: Any) -> None:
    """The rest of the first segment comes after the second text was sent: it looks like the second's audio."""
    burst = tone(300)
    network = FakeNetwork(
        llm(
            say("Why did the unicorn"), say(" cross the roads?", ttft=0.02), say(" It was there.", done=True, ttft=0.5)
        ),
        older_tts([0.2, burst, 0.4, burst], [0.6, burst, burst], [0.2, burst, burst]),
    )
    record = go(virtual, network)
    assert outcome(record) == "suspect"
    assert "gap_ms" in record.doubts[0]


def test_turns_carry_the_reply_and_reconnect_where_the_server_closes(virtual: Any) -> None:
    network = FakeNetwork(
        llm(say("One two three.", done=True), say("Four five six.", done=True)), older_tts(spoken(300), spoken(300))
    )
    record = go(virtual, network, turns(2))
    assert record.failure is None
    assert [c.server for c in record.connects] == ["llm", "tts", "tts"]
    roles = [m["role"] for m in network.sent("llm", "start_stream")[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert network.sent("llm", "start_stream")[1]["messages"][2]["content"] == "One two three."


def test_a_target_that_is_asked_in_text_gets_the_words_without_the_pauses(virtual: Any) -> None:
    network = FakeNetwork(llm(say("One two three.", done=True)), older_tts(spoken(300)))
    asked = replace(PLAN, scenario=replace(PLAN.scenario, user_turns=("A table [pause 800ms] for two?",)))
    record = go(virtual, network, asked)
    assert network.sent("llm", "start_stream")[0]["messages"][-1]["content"] == "A table for two?"
    assert record.turns[0].user == "A table for two?"


def test_an_older_server_that_ignores_a_second_init_gets_a_new_connection(virtual: Any) -> None:
    network = FakeNetwork(
        llm(say("One two three.", done=True), say("Four five six.", done=True)),
        older_tts(spoken(300), spoken(300), drops=False),
    )
    record = go(virtual, network, turns(2))
    assert record.failure is None
    assert [c.server for c in record.connects] == ["llm", "tts", "tts"]


@pytest.mark.parametrize(
    "refusal",
    [
        [{"type": "error", "message": "one stream per connection"}],
        [{"type": "error", "message": "one stream per connection", "fatal": True}, DROP],
        ["no JSON"],
    ],
)
@pytest.mark.parametrize("make", [newer_tts, partial(older_tts, drops=False)])
def test_a_server_that_refuses_a_second_init_gets_a_new_connection(virtual: Any, make: Any, refusal: list[Any]) -> None:
    def refusing() -> Any:
        peer, inits = make(spoken(300), spoken(300))(), 0

        def answer(request: dict[str, Any]) -> Any:
            nonlocal inits
            inits += request["type"] == "init"
            return refusal if request["type"] == "init" and inits > 1 else peer(request)

        return answer

    network = FakeNetwork(llm(say("A chunk.", done=True), say("A chunk.", done=True)), refusing)
    record = go(virtual, network, plan=turns(2))
    assert outcome(record) == "ok", record.failure
    assert len([link for link in network.links if link.server == "tts"]) == 2


@pytest.mark.parametrize("late", [{"type": "done", "segments_generated": 1}, {"type": "stream_created"}])
def test_what_a_server_still_says_between_two_turns_is_not_of_the_next(virtual: Any, late: dict[str, Any]) -> None:
    peer = newer_tts(spoken(300), spoken(300))()
    network = FakeNetwork(
        llm(say("A chunk.", done=True), say("A chunk.", done=True)),
        lambda: lambda request: [*peer(request), *([0.03, late] if request["type"] == "close" else [])],
    )
    plan = turns(2)
    record = go(virtual, network, plan=replace(plan, scenario=replace(plan.scenario, turn_pause_s=0.2)))
    assert outcome(record) == "ok", record.failure
    created = [at for server, at, request in network.requests if server == "tts" and request["type"] == "init"][1]
    assert (record.turns[1].chunks[0].inference_start or 0) >= created + 2_000_000, "it waits for its own stream"


def test_the_newer_server_keeps_its_connection_over_turns(virtual: Any) -> None:
    network = FakeNetwork(
        llm(say("One two three.", done=True), say("Four five six.", done=True)), newer_tts(spoken(300), spoken(300))
    )
    record = go(virtual, network, turns(2))
    assert record.failure is None
    assert [c.server for c in record.connects] == ["llm", "tts"]


@pytest.mark.parametrize(
    ("chunk", "stage", "reason"),
    [
        ([], "llm", "timeout"),
        ([0.1, {"type": "token", "content": "a"}], "llm", "timeout"),
        ([0.1, DROP], "llm", "closed"),
        ([0.1, "<html>"], "llm", "malformed"),
        ([0.1, [1, 2]], "llm", "malformed"),
        ([0.1, {"type": "token", "content": 7}], "llm", "malformed"),
        ([0.1, b"\x00"], "llm", "malformed"),
        ([0.1, {"error": "model exploded"}], "llm", "server_error"),
        (say("", done=True, reason="connection_error"), "llm", "connection_error"),
        (say("", done=True, reason="empty_response"), "llm", "empty_response"),
        (say("", done=True), "llm", "empty_response"),
        (say("...", done=True), "llm", "empty_response"),
    ],
)
def test_an_llm_that_fails(virtual: Any, chunk: list[Any], stage: str, reason: str) -> None:
    network = FakeNetwork(llm(chunk), newer_tts([]))
    record = go(virtual, network)
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == (stage, reason)
    assert record.turns[0].chunks[0].began > 0
    assert network.sent("llm", "end_stream")
    assert (record.ended - record.started) / 1e9 < 11


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        ([0.1, DROP], "closed"),
        ([0.1, "garbage"], "malformed"),
        ([0.1, {"type": "error", "message": "out of memory", "fatal": True}], "server_error"),
        ([0.1, {"type": "error", "message": "out of memory", "fatal": False}, 20.0], "no_audio"),
        ([20.0], "no_audio"),
        ([0.1, {"type": "done"}, 20.0], "ended_early"),
        ([1.1, {"type": "done"}], "ended_early"),
    ],
)
def test_a_tts_that_fails(virtual: Any, segment: list[Any], reason: str) -> None:
    network = FakeNetwork(llm(say(TEN_WORDS), say("cross", done=True)), newer_tts(segment, []))
    record = go(virtual, network)
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("tts", reason)
    assert record.turns[0].chunks[0].llm_done is not None
    assert network.sent("llm", "end_stream")
    assert (record.ended - record.started) / 1e9 < 13


VOICES_AT = "http://localhost:8001/v1/audio/config"


@pytest.mark.parametrize("config", [None, b"not found", b'{"voices": ["aria", "leo"]}'])
def test_silence_is_no_unknown_voice_where_no_list_says_so(virtual: Any, config: bytes | None) -> None:
    network = FakeNetwork(llm(say("One two three.", done=True)), newer_tts([20.0]))
    network.config = config
    record = go(virtual, network)
    assert record.failure is not None and record.failure.reason == "no_audio"
    # Before the run, and when it has failed: a list may have been had too late.
    assert network.fetched == [VOICES_AT, VOICES_AT]


def test_a_voice_that_would_say_nothing_is_known_before_the_llm_is_asked(virtual: Any) -> None:
    network = FakeNetwork(llm(say("One two three.", done=True)), newer_tts([20.0]))
    network.config = b'{"voices": ["leo", "sofia"]}'
    record = go(virtual, network)
    assert record.failure is not None and (record.failure.stage, record.failure.reason) == ("tts", "unknown_voice")
    assert (record.failure.server, record.failure.turn_num, record.turns) == ("tts", None, ())
    assert network.sent_to("llm") == [] and network.sent_to("tts") == []
    assert network.fetched == [VOICES_AT]
    assert (record.ended - record.started) / 1e9 < 1
    assert record.said == ("TTS server: it has the voices leo, sofia",)


@pytest.mark.parametrize("config", [None, b'{"voices": ["aria"]}'])
def test_asking_for_the_voices_is_in_no_figure(virtual: Any, config: bytes | None) -> None:
    """However long the answer takes: until it is there, nothing is asked of either server."""
    network = FakeNetwork(llm(say("One two three.", done=True)), newer_tts(spoken(300)))
    network.config, network.answers_after_s = config, 1.5
    slow = go(virtual, network)
    quick = go(virtual, FakeNetwork(llm(say("One two three.", done=True)), newer_tts(spoken(300))))
    assert summarise(slow).response_ttfb_ms == pytest.approx(summarise(quick).response_ttfb_ms)
    asked = slow.turns[0].chunks[0].inference_start
    assert slow.failure is None and asked is not None and asked - slow.started >= 1_500_000_000


def test_all_audio_but_no_done_is_a_failure(virtual: Any) -> None:
    network = FakeNetwork(llm(say("One two three.", done=True)), older_tts(spoken(300), done_after=1000.0))
    record = go(virtual, network)
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("tts", "timeout")
    assert record.turns[0].chunks[0].segment_end == "gap"
    assert network.sent("tts", "cancel")


@pytest.mark.parametrize("server", ["llm", "tts"])
def test_a_connection_that_is_refused_or_late_is_that_servers(virtual: Any, server: str) -> None:
    peers = {"llm": llm(say("One", done=True)), "tts": newer_tts()}
    absent = go(virtual, FakeNetwork(**(peers | {server: None})))
    assert absent.failure is not None
    assert (absent.failure.stage, absent.failure.reason, absent.failure.server) == ("connect", "refused", server)
    # The fakes take 5 ms for each connection.
    limit = {"llm": 0.003, "tts": 0.008}[server]
    late = go(virtual, FakeNetwork(**peers), replace(PLAN, target=TargetConfig.of(limits={"run_s": limit}).record("t")))
    assert late.failure is not None
    assert (late.failure.stage, late.failure.reason, late.failure.server) == ("connect", "timeout", server)


def test_a_refused_connection_names_the_server(virtual: Any) -> None:
    network = FakeNetwork(llm(say("One", done=True)), None)
    record = go(virtual, network)
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("connect", "refused")
    assert PLAN.target.servers["tts"].url in record.failure.detail
    assert [c.end is None for c in record.connects] == [False, True]
    assert not network.sent("llm", "end_stream")


def test_no_slot_is_busy_and_nobodys_fault(virtual: Any) -> None:
    error = {"stream_id": "probe-r1-1", "error": "No slots available (max 1)"}
    network = FakeNetwork(llm([0.01, error]), newer_tts())
    record = go(virtual, network)
    assert outcome(record) == "skipped"
    assert record.skipped == "all its slots are taken"
    assert record.said == ("LLM server: No slots available (max 1)",)
    assert network.sent("llm", "end_stream") and network.sent("tts", "cancel")


def test_the_run_deadline_names_the_stage_that_was_waited_for(virtual: Any) -> None:
    endless: list[Any] = [item for _ in range(1000) for item in (1.0, {"type": "token", "content": "a "})]
    network = FakeNetwork(llm(endless), newer_tts())
    record = go(virtual, network, replace(PLAN, target=TargetConfig.of(limits={"run_s": 30}).record("test")))
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason, record.failure.server) == ("llm", "run_deadline", "llm")
    assert record.turns[0].chunks[0].token_count == 29
    assert network.sent("llm", "end_stream")


def test_a_long_healthy_response_is_not_cut(virtual: Any) -> None:
    slow = [item for i in range(20) for item in (3.0, {"type": "token", "content": f"word{i} "})]
    end = {"type": "done", "reason": "eos", "text": None, "tokens": 20}
    network = FakeNetwork(llm([*slow, end]), newer_tts(spoken(3000, ttfb=8.0, pace=0.5)))
    record = go(virtual, network)
    assert record.failure is None
    assert record.turns[0].chunks[0].text.startswith("word0 word1 ")


def test_an_idle_tts_stream_is_kept_alive_while_the_llm_takes_its_time(virtual: Any) -> None:
    slow = [item for i in range(8) for item in (6.0, {"type": "token", "content": f"word{i} "})]
    network = FakeNetwork(llm([*slow, {"type": "done", "reason": "eos"}]), newer_tts(spoken(300)))
    record = go(virtual, network)
    assert outcome(record) == "slow"
    pings = [at for server, at, m in network.requests if server == "tts" and m["type"] == "ping"]
    assert [round((at - record.started) / 1e9) for at in pings] == [10, 20, 30, 40]


def test_what_waited_to_be_read_before_we_asked_is_no_answer(virtual: Any) -> None:
    answers = llm(say("Hello there."), say("Again.", done=True))()

    def peer(request: dict[str, Any]) -> Iterable[Any]:
        if request["action"] == "continue_stream":
            before = network.clock.now() - 1_000_000
            network.links[0].deliver(before, Text(b'{"type": "token", "content": "stale"}'))
        return answers(request)

    network = FakeNetwork(lambda: peer, newer_tts(spoken(300), spoken(300)))
    record = go(virtual, network)
    assert outcome(record) == "ok"
    assert [c.llm_ttft_ms for c in measure_run(record)[0].chunks] == pytest.approx([100, 100])
    assert record.turns[0].chunks[1].token_count == 1


def answering_in_order(make: Any, segments: list[list[Any]]) -> Any:
    """A server whose texts are answered in their order, whatever their connection."""

    def made() -> Any:
        peer = make(*[[] for _ in segments])()

        def answer(request: dict[str, Any]) -> Iterable[Any]:
            if request["type"] != "text":
                return peer(request)  # type: ignore[no-any-return]
            steps = segments.pop(0)
            return [*steps, *([{"type": "segment_complete"}] if make is newer_tts and DONE not in steps else [])]

        return answer

    return made


DONE = {"type": "done", "total_audio_ms": 300, "segments_generated": 1}


@pytest.mark.parametrize(
    ("make", "dropped", "connections"),
    [(newer_tts, [], 1), (newer_tts, [DROP], 2), (older_tts, [DROP], 2), (older_tts, [], 2)],
)
def test_a_stream_that_ends_between_two_texts_is_followed_by_another(
    virtual: Any, make: Any, dropped: list[Any], connections: int
) -> None:
    """Servers end a stream that was idle, or has lasted half a minute; the next text waits for the new one alone."""
    thinking = say(" Again, and again.", done=True, ttft=0.9)
    early = [0.2, *frames(tone(300)), *([{"type": "segment_complete"}] if make is newer_tts else []), 0.3, DONE]
    texts = [[*early, *dropped], spoken(400)]
    network = FakeNetwork(llm(say("Hello there."), thinking), answering_in_order(make, texts))
    record = go(virtual, network)
    assert (record.failure, record.doubts) == (None, ())
    assert len([c for c in record.connects if c.server == "tts"]) == connections
    assert [m["type"] for m in network.sent_to("tts")][:3] == ["init", "text", "init"]
    assert [m["type"] for m in network.sent_to("tts")][-2:] == ["text", "close"]
    first, second = measure_run(record)[0].chunks
    assert [first.tts_ttfb_ms, second.tts_ttfb_ms] == pytest.approx([200, 200])
    assert second.combined_ttfb_ms == pytest.approx(900 + 30 + 200), "the time that the new stream took is no latency"
    assert record.turns[0].chunks[1].audio_bytes == len(tone(400))


CREATED = {"type": "stream_created", "stream_id": "s"}


@pytest.mark.parametrize("created", [[CREATED], []])
def test_a_text_that_crosses_the_end_of_a_stream_is_spoken_in_the_next(virtual: Any, created: list[Any]) -> None:
    """The server said `done` before it had the text, and begins a stream for it by itself; each text is sent once."""
    chunks = [say("Hello there."), say(" How are you?"), say(" I am fine.", done=True)]
    segments = [
        [*marked(300), 0.15, DONE],
        [*created, *marked(400), 0.15, DONE],
        [*created, *marked(500)],
    ]
    network = FakeNetwork(llm(*chunks), newer_tts_of(segments))
    record = go(virtual, network)
    assert (record.failure, record.doubts, outcome(record)) == (None, (), "ok")
    assert [m["type"] for m in network.sent_to("tts")] == ["init", "text", "text", "text", "close"]
    assert [c.segment_end for c in record.turns[0].chunks] == ["marker"] * 3
    assert [c.audio_bytes for c in record.turns[0].chunks] == [len(tone(ms)) for ms in (300, 400, 500)]


def test_a_last_text_for_which_a_server_says_done_alone_has_no_audio(virtual: Any) -> None:
    network = FakeNetwork(llm(say("Hello there.", done=True)), newer_tts_of([[]]))
    record = go(virtual, network)
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("audio", "missing")


def test_a_stream_that_has_ended_after_the_last_text_is_over(virtual: Any) -> None:
    early = [0.2, *frames(tone(300)), {"type": "segment_complete"}, 0.2, DONE, DROP]
    network = FakeNetwork(llm(say("Hello there."), say(" 😊", done=True, ttft=0.9)), newer_tts(early))
    record = go(virtual, network)
    assert (record.failure, outcome(record)) == (None, "ok")
    assert network.sent("tts", "close") == []


def test_done_for_a_text_that_was_kept_back_is_a_failure(virtual: Any) -> None:
    """It would never be spoken: the next stream knows nothing of it."""
    network = FakeNetwork(llm(say("Sure"), say(" thing, here it is.", done=True)), older_tts([2.05, DONE], spoken(300)))
    record = go(virtual, network)
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("tts", "ended_early")


def marked(ms: float) -> list[Any]:
    return [*spoken(ms), {"type": "segment_complete", "segment": 1, "audio_ms": ms}]


def newer_tts_of(segments: list[list[Any]]) -> Any:
    """A newer server whose markers are those in its segments."""
    left = list(segments)

    def peer(request: dict[str, Any]) -> Iterable[Any]:
        answers: dict[str, list[Any]] = {"init": [{"type": "stream_created"}], "close": [0.01, {"type": "done"}]}
        return left.pop(0) if request["type"] == "text" else answers.get(request["type"], [])

    return lambda: peer


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("turn_count", [1, 2])
def test_a_marker_that_never_comes_is_a_doubt_and_no_failure(virtual: Any, missing: int, turn_count: int) -> None:
    """All audio is there, so that only the wait was in vain; the figures are those of the run without the fault."""

    def chunks() -> list[list[Any]]:
        return [say("Hello there."), say(" How are you today?"), say(" I am fine."), say(" Bye now.", done=True)]

    def measured(segments: list[list[Any]]) -> tuple[RunRecord, list[Any]]:
        last = [marked(ms) for ms in (300, 500, 400, 350)] * (turn_count - 1)
        record = go(
            virtual, FakeNetwork(llm(*chunks() * turn_count), newer_tts_of([*last, *segments])), turns(turn_count)
        )
        figures = [
            (each.combined_ttfb_ms, each.tts_ttfb_ms, each.tts_stream_time_ms, each.playout_gap_ms)
            for each in measure_run(record)[-1].chunks
        ]
        return record, figures

    healthy = [marked(ms) for ms in (300, 500, 400, 350)]
    record, figures = measured([spoken(500) if n == missing else each for n, each in enumerate(healthy)])
    assert record.failure is None
    assert outcome(record) == "suspect"
    assert record.doubts == (f"turn {turn_count}, chunk {missing + 1}: the server never marked the end of its audio",)
    assert record.turns[-1].chunks[missing].segment_end == "gap"
    sure, right = measured(healthy)
    assert outcome(sure) == "ok"
    assert figures == [pytest.approx(each) for each in right]


def test_chunks_without_progress_end(virtual: Any) -> None:
    network = FakeNetwork(llm(*(say("") for _ in range(100))), newer_tts())
    record = go(virtual, network)
    assert record.failure is not None
    assert record.failure.reason == "no_progress"
    assert len(record.turns[0].chunks) == MAX_EMPTY_CHUNKS


@pytest.mark.parametrize("at", [0.001, 0.007, 0.05, 0.15, 0.25, 0.4, 0.6])
def test_an_interrupted_run_gives_its_slot_back(virtual: Any, at: float) -> None:
    network = FakeNetwork(
        llm(say("Why did the unicorn"), say(" cross the road?", done=True)), newer_tts(spoken(400), spoken(400))
    )
    stop = asyncio.Event()
    virtual.loop.call_later(at, stop.set)
    record = go(virtual, network, stop=stop)
    assert (record.failure, record.skipped, outcome(record)) == (None, "interrupted", "skipped")
    assert len(network.sent("llm", "end_stream")) >= len(network.sent("llm", "start_stream"))
    assert all(not link.open for link in network.links)


def test_a_cancelled_run_gives_its_slot_back(virtual: Any) -> None:
    network = FakeNetwork(llm(say("Why did the unicorn")), newer_tts([20.0]))

    async def cancelled() -> None:
        run = asyncio.ensure_future(runner.run(PLAN, chosen(PLAN.target), network(virtual.clock), virtual.clock))
        await asyncio.sleep(0.4)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    virtual.run(cancelled())
    assert network.sent("llm", "end_stream") and network.sent("tts", "cancel")


def test_a_lost_llm_connection_is_opened_again_to_give_the_slot_back(virtual: Any) -> None:
    network = FakeNetwork(llm([0.1, DROP]), newer_tts())
    record = go(virtual, network)
    assert record.failure is not None and record.failure.reason == "closed"
    assert [c.server for c in record.connects] == ["llm", "tts", "llm"]
    assert network.sent("llm", "end_stream")


def test_a_connection_that_is_lost_unread_is_opened_again_to_give_the_slot_back(virtual: Any) -> None:
    network = FakeNetwork(llm([*say("Why did the unicorn", done=True), GONE]), newer_tts([0.1, "garbage"]))
    record = go(virtual, network)
    assert record.failure is not None and record.failure.reason == "malformed"
    assert [c.server for c in record.connects] == ["llm", "tts", "llm"]
    assert network.sent("llm", "end_stream")


def test_fresh_prompts_differ_early_and_reused_ones_do_not(virtual: Any) -> None:
    def prompt(plan: Plan) -> str:
        network = FakeNetwork(llm(say("One two.", done=True)), newer_tts(spoken(100)))
        go(virtual, network, plan)
        content: str = network.sent("llm", "start_stream")[0]["messages"][0]["content"]
        return content

    reused = replace(PLAN, scenario=replace(PLAN.scenario, prompt_cache="reused"))
    assert prompt(PLAN) != prompt(replace(PLAN, run_id="r2"))
    assert prompt(PLAN).endswith("Be brief.")
    assert prompt(reused) == prompt(replace(reused, run_id="r2")) == "Be brief."


def test_stray_audio_belongs_to_no_chunk(virtual: Any) -> None:
    def tts() -> Any:
        def peer(request: dict[str, Any]) -> Any:
            match request["type"]:
                case "init":
                    return [0.0, b"ab", {"type": "stream_created"}, b"cd"]
                case "text":
                    return [0.2, tone(300), {"type": "segment_complete"}]
                case "close":
                    return [0.5, {"type": "done"}, b"ef"]
            return []

        return peer

    record = go(virtual, FakeNetwork(llm(say("One two three.", done=True)), tts))
    assert outcome(record) == "ok"
    assert record.turns[0].chunks[0].audio_bytes == len(tone(300))
    assert record.turns[0].stray_audio_bytes == 4 or record.turns[0].stray_audio_bytes == 6


@pytest.mark.parametrize(
    ("pcm", "reason"),
    [(bytes(20000), "silent"), (bytes([5, 0]) * 10000, "silent"), (tone(300) + b"x", "odd_bytes"), (b"", "missing")],
)
def test_audio_that_is_no_speech(virtual: Any, pcm: bytes, reason: str) -> None:
    segment = [0.1, pcm, {"type": "segment_complete"}] if pcm else [0.1, {"type": "segment_complete"}]
    record = go(virtual, FakeNetwork(llm(say("One two three.", done=True)), older_tts(segment)))
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("audio", reason)


def test_a_text_without_a_word_goes_with_the_next_one(virtual: Any) -> None:
    """Nobody hears it, and servers pass over it without a word: there is nothing to wait for."""
    network = FakeNetwork(
        llm(say("..."), say(" One two three."), say(" 😊"), say(" - "), say(" Four five.", done=True)),
        newer_tts(spoken(300), spoken(300)),
    )
    record = go(virtual, network)
    assert [m["text"] for m in network.sent("tts", "text")] == ["... One two three.", " 😊 -  Four five."]
    chunks = record.turns[0].chunks
    assert [chunk.tts_text_sent is None for chunk in chunks] == [True, False, True, True, False]
    assert [after.began for after in chunks[3:]] == [before.llm_done for before in chunks[2:4]], "asked for at once"
    turn = measure_run(record)[0]
    assert turn.response_ttfb_ms == pytest.approx(100 + 130 + 200)
    assert [each.playout_gap_ms for each in turn.chunks] == [
        None,
        None,
        None,
        None,
        pytest.approx(110 + 120 + 120 + 200 - 300),
    ]
    assert outcome(record) == "ok"


def test_an_answer_that_ends_without_a_word_has_been_spoken(virtual: Any) -> None:
    network = FakeNetwork(llm(say("One two three."), say(" 😊", done=True)), newer_tts(spoken(300)))
    record = go(virtual, network)
    assert [m["text"] for m in network.sent("tts", "text")] == ["One two three."]
    assert outcome(record) == "ok"
    assert record.ended - record.started < 1e9


def test_traceparent_goes_to_both_servers(virtual: Any) -> None:
    network = FakeNetwork(llm(say("One two.", done=True)), newer_tts(spoken(100)))
    go(virtual, network)
    expected = {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}
    assert network.headers == [expected, expected]


def test_a_watcher_sees_the_run_as_it_goes(virtual: Any) -> None:
    seen: list[Event] = []
    go(virtual, FakeNetwork(llm(say("One two.", done=True)), newer_tts(spoken(100))), observe=seen.append)
    assert [e.kind for e in seen if e.kind not in ("llm_token", "tts_audio")] == [
        "connecting", "connected", "connecting", "connected", "llm_start", "llm_first_token", "llm_chunk_end",
        "tts_text", "tts_first_audio", "tts_segment_end", "turn_done",
    ]  # fmt: skip
    assert [e.at for e in seen] == sorted(e.at for e in seen)
