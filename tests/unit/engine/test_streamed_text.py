"""A TTS server that takes the answer as the LLM writes it, on virtual time: what it is sent, and what is measured."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from fakes import DROP, FakeNetwork, Step, frames, llm, say, tone
from free_running import PROTOCOL as FREE
from free_running import answering, speaking, words
from msgspec import Struct
from runs import PLAN

from probe.config import ConfigError, ScenarioConfig, TargetConfig
from probe.engine import doubts, runner
from probe.engine.pauses import settled
from probe.measures import measure_chunk, measure_run, outcome
from probe.metrics.observations import SERIES
from probe.plan import Pause, Plan, ServerPlan
from probe.protocols import registry
from probe.protocols.base import Audio, Connect, Done, Ready, SegmentEnd, Send, Terms, TtsConversation
from probe.protocols.base import Step as Said
from probe.protocols.choice import Protocols
from probe.protocols.declaration import ServerProtocol
from probe.protocols.http_answers import refused_handshake
from probe.protocols.registry import LLM, TTS
from probe.record import Chunk, RunRecord, Turn
from probe.transport.framing.base import Binary, Incoming, Text


class Nothing(Struct, frozen=True):
    """It takes nothing."""


class AsItComes(TtsConversation):
    """Each piece a frame, and one for the end; audio comes back, and an end."""

    sample_rate = 22000

    def __init__(self, terms: Terms) -> None:
        del terms

    def open(self, now: int) -> Iterable[Said]:
        del now
        return Connect(), Ready()

    def add(self, piece: str, now: int) -> Iterable[Said]:
        del now
        return (_sent({"type": "piece", "text": piece}),)

    def close(self, now: int) -> Iterable[Said]:
        del now
        return (_sent({"type": "end"}),)

    def received(self, frame: Incoming, at: int) -> Iterable[Said]:
        del at
        match frame:
            case Binary(pcm):
                return (Audio(pcm),)
            case Text():
                return SegmentEnd(), Done()
        return ()


def _sent(what: dict[str, str]) -> Send:
    return Send(Text(json.dumps(what).encode()))


STREAM: ServerProtocol[TtsConversation] = ServerProtocol(
    name="as_it_comes", schemes=("ws",), default_url="ws://h:8001/", framing="websocket", options=Nothing,
    converse=AsItComes, takes_pieces=lambda _server: True,
)  # fmt: skip


def streamed(plan: Plan = PLAN) -> Plan:
    servers = {**plan.target.servers, "tts": ServerPlan(STREAM.name, plan.target.servers["tts"].url)}
    return replace(plan, target=replace(plan.target, servers=servers))


def cutting(after: str, *audio: Step) -> Any:
    """A server that speaks once it has read so much, and the rest at the end."""

    def make() -> Any:
        text = ""

        def answer(request: dict[str, Any]) -> list[Step]:
            nonlocal text
            if request["type"] == "end":
                return [0.05, *frames(tone(900)), 0.01, {"over": True}]
            before, text = after in text, text + request["text"]
            return list(audio) if after in text and not before else []

        return answer

    return make


def protocols(llm: Any = FREE) -> Protocols:
    return Protocols({"llm": llm, "tts": STREAM}, refused_handshake)


FIRST = (0.05, *frames(tone(600)))


def go(virtual: Any, network: FakeNetwork, plan: Plan, llm: Any = FREE) -> RunRecord:
    record: RunRecord = virtual.run(runner.run(plan, protocols(llm), network(virtual.clock), virtual.clock))
    return record


def test_each_piece_goes_as_it_comes_and_audio_may_begin_before_the_answer_ends(virtual: Any) -> None:
    """Tokens at 100, 120, ... 220 ms; what shows the first sentence's end comes at 140."""
    network = FakeNetwork(answering(*words("Hello there. It is me, again.", first=0.1)), cutting(" It", *FIRST))
    record = go(virtual, network, streamed(speaking(PLAN)))
    assert outcome(record) == "ok", record.failure or record.doubts
    pieces = [each["text"] for each in network.sent_to("tts") if each["type"] == "piece"]
    assert pieces == ["Hello", " there.", " It", " is", " me,", " again."]
    (chunk,), (measured,) = record.turns[0].chunks, measure_run(record)[0].chunks
    assert chunk.text == "Hello there. It is me, again." and chunk.text_streamed
    assert (measured.llm_ttft_ms, measured.llm_gen_time_ms) == (100, 200)
    assert measured.tts_ttfb_ms == pytest.approx(90), "from the first piece at 100 to 190"
    assert measured.tts_wait_ms is None and measured.probe_delay_ms == 0
    assert measured.combined_ttfb_ms == pytest.approx(190)
    assert measured.audio_duration_ms == pytest.approx(1500)


def test_a_silence_between_two_sentences_is_one_within_the_answer(virtual: Any) -> None:
    steps = (*words("Hello there. It", first=0.1), 2.0, {"answer": " is me."})
    record = go(virtual, FakeNetwork(answering(*steps), cutting(" It", *FIRST)), streamed(speaking(PLAN)))
    (measured,) = measure_run(record)[0].chunks
    assert measured.underrun_ms == pytest.approx(2140 + 50 - 190 - 600, abs=1)


def test_a_server_that_pauses_is_asked_for_the_whole_answer(virtual: Any) -> None:
    network = FakeNetwork(llm(say("Hello there.", done=True)), cutting("there", *FIRST))
    record = go(virtual, network, streamed(), LLM["chunked"])
    assert [each["action"] for each in network.sent_to("llm")].count("continue_stream") == 0
    assert len(record.turns[0].chunks) == 1


def test_the_plan_says_what_was_done() -> None:
    limited = replace(PLAN, scenario=replace(PLAN.scenario, max_answer_tokens=100))
    assert settled(streamed(speaking(limited)), protocols()).scenario.first_pause == Pause()
    pausing = settled(streamed(limited), protocols(LLM["chunked"])).scenario
    assert pausing.first_pause == pausing.next_pause == Pause(max_tokens=200)
    assert pausing.flow == "streamed"
    endless = replace(PLAN, scenario=replace(PLAN.scenario, max_answer_tokens=None))
    assert settled(streamed(endless), protocols(LLM["chunked"])).scenario.first_pause == Pause()


def test_what_the_probe_takes_to_hand_on_the_first_piece_is_its_own_delay() -> None:
    ms = 1_000_000
    chunk = Chunk(
        1, 0, llm_first_token=90 * ms, llm_first_answer_token=100 * ms, llm_done=400 * ms, tts_text_sent=103 * ms,
        text_streamed=True, tts_first_audio=300 * ms,
    )  # fmt: skip
    measured = measure_chunk(chunk)
    assert (measured.probe_delay_ms, measured.combined_ttfb_ms, measured.tts_ttfb_ms) == (3, 297, 197)
    assert measured.tts_wait_ms is None
    assert list(doubts.of_order(Turn(1, "", (chunk,)))) == []
    assert list(doubts.of_order(Turn(1, "", (replace(chunk, text_streamed=False),)))) != []


def test_an_answer_that_runs_on_is_cut_off_and_ends_the_stream(virtual: Any) -> None:
    plan = streamed(speaking(replace(PLAN, scenario=replace(PLAN.scenario, max_answer_tokens=3))))
    network = FakeNetwork(answering(*words("a b c d e f g h i j. k", first=0.1)), cutting("c", *FIRST))
    record = go(virtual, network, plan)
    assert record.failure is None
    assert (record.turns[0].chunks[0].text, record.turns[0].chunks[0].stop_reason) == ("a b c d e f", "limit")
    assert network.sent_to("tts")[-1] == {"type": "end"}


def test_reasoning_that_is_on_its_way_can_not_be_taken_back(virtual: Any) -> None:
    steps = (0.1, {"answer": "Hm"}, 0.1, {"reasoned": ""}, {"answer": "Hello."})
    record = go(virtual, FakeNetwork(answering(*steps), cutting("Hm")), streamed(speaking(PLAN)))
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("llm", "malformed")


def test_a_server_that_goes_while_the_answer_is_written_is_a_failure_of_its_own(virtual: Any) -> None:
    network = FakeNetwork(answering(*words("Hello there. It is me.", first=0.1)), cutting(" It", *FIRST, DROP))
    record = go(virtual, network, streamed(speaking(PLAN)))
    assert record.failure is not None
    assert (record.failure.server, record.failure.reason, record.failure.chunk_num) == ("tts", "closed", 1)


def test_while_the_llm_writes_nobody_waits_for_the_voice(virtual: Any) -> None:
    """It may say nothing for longer than it may otherwise: the sentence is not over."""
    limits = replace(PLAN.target.limits, tts_s=0.5)
    plan = replace(PLAN, target=replace(PLAN.target, limits=limits))
    steps = (*words("Hello there", first=0.1), 2.0, {"answer": ". It is"})
    record = go(virtual, FakeNetwork(answering(*steps), cutting(" It", *FIRST)), streamed(speaking(plan)))
    assert record.failure is None


def test_it_has_the_histograms_of_one_chunk_that_waits_for_nothing() -> None:
    home = {"url": "tcp://home:10200", "mode": "streamed"}
    assert registry.answering(TargetConfig.of(tts=home).record("t")) == "streamed"
    assert registry.answering(TargetConfig.of(tts={**home, "mode": "whole"}).record("t")) == "pausing"
    assert ("tts_ttfb", "first") in SERIES["streamed"]
    assert not {("tts_wait", "first"), ("tts_ttfb", "next"), ("playout_gap", "next")}.intersection(SERIES["streamed"])


def test_nobody_chooses_it_in_a_scenario() -> None:
    with pytest.raises(ConfigError, match="flow"):
        ScenarioConfig.of(flow="streamed")


def test_one_that_takes_whole_texts_has_the_plan_as_it_is() -> None:
    whole = Protocols({"llm": FREE, "tts": TTS["magpie"]}, refused_handshake)
    assert settled(PLAN, whole) is PLAN
