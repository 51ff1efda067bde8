"""Golden files: what a person sees of a run, and the JSON of the good one.

To change one on purpose: `UPDATE_GOLDEN=1 pytest tests/unit/report/test_terminal.py`, then read the
difference in tests/golden/.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import click
import pytest
from fakes import DROP, FakeNetwork, frames, llm, newer_tts, older_tts, say, tone
from free_running import answering, protocols, speaking, words

import golden
from probe.blame import may_fail
from probe.config import ScenarioConfig, TargetConfig
from probe.engine import runner
from probe.measures import measure_run
from probe.plan import Plan, Role
from probe.progress import Event
from probe.protocols.registry import chosen
from probe.record import REASONS, Chunk, Failure, RunRecord
from probe.report import document, terminal, timeline
from probe.report.advice import advice

WIDTHS = (60, 80, 100, 110)
CHRISTMAS_EVE = 1_766_579_696_789_000_000
LIMITS = {"llm_s": 10, "tts_s": 10, "gap_ms": 150, "hold_s": 2, "flush_ms": 500}


def plan(*user_turns: str) -> Plan:
    """Nothing is left to defaults: a golden file changes with what it is about, and with nothing else."""
    target = TargetConfig.of(
        llm_url="ws://spark:8002/ws", tts_url="ws://spark:8001/ws/tts/stream", voice="aria", language="en",
        sample_rate=22000, objective_ms=1000, limits=LIMITS,
    )  # fmt: skip
    scenario = ScenarioConfig.of(
        system_prompt="You are a helpful AI assistant running on an NVIDIA DGX Spark. What you say is spoken aloud, "
        "so keep it short, and write numbers and symbols as words.",
        user_turns=list(user_turns), first_pause={"max_tokens": 10}, next_pause={"sentence_boundary": True},
        turn_pause_s=0.5, temperature=0.7, prompt_cache="fresh",
    )  # fmt: skip
    return Plan(
        run_id="20251224T123456Z-0a1b2c",
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        span_id="00f067aa0ba902b7",
        target=target.record("spark"),
        scenario=scenario.record("jokes"),
    )


def spoken(ttfb: float, ms: float, silence: float = 0.0, pace: float = 0.004) -> list[Any]:
    """A segment: its first byte after `ttfb` seconds, then a frame every `pace`."""
    steps: list[Any] = [ttfb]
    for frame in frames(bytes(round(silence * 22) * 2) + tone(ms - silence)):
        steps += [frame, pace]
    return steps[:-1]


def good() -> tuple[Plan, FakeNetwork]:
    """Three chunks; the second comes too late for a listener."""
    network = FakeNetwork(
        llm(
            say("Why did the unicorn cross the", ttft=0.2413, token=0.0268),
            say(" road? Because it", reason="sentence_boundary", ttft=0.0361, token=0.0322),
            say(" was tired of the same old magic.", done=True, reason="sentence_boundary_eos", ttft=0.055, token=0.03),
        ),
        newer_tts(spoken(0.509, 1722, 31.5), spoken(1.7731, 886), spoken(0.775, 2607.3)),
    )
    return plan("Tell me three jokes about unicorns."), network


def two_turns() -> tuple[Plan, FakeNetwork]:
    """An older server: one word is kept back and merged, the next segment pauses, the second turn is slow."""
    late = [*spoken(0.4, 900), 0.31, *frames(tone(400))]
    network = FakeNetwork(
        llm(
            say("Sure!", ttft=0.18),
            say(" Here is one about a unicorn.", ttft=0.04),
            say(" Its horn was stuck in the door of a very small car.", done=True, ttft=0.9),
            say("You are welcome.", done=True, ttft=0.7),
        ),
        older_tts([], late, spoken(0.7, 3305.2), spoken(0.62, 1400)),
    )
    return plan("Tell me a joke about a unicorn.", "Thank you. That was not so bad, was it?"), network


def failed() -> tuple[Plan, FakeNetwork]:
    """The TTS server is gone in the middle of the second chunk."""
    network = FakeNetwork(
        llm(say("Why did the unicorn cross the", ttft=0.241), say(" road? Because it was there.", ttft=0.04)),
        newer_tts(spoken(0.509, 1722), [0.3, tone(93), 10.0, DROP]),
    )
    return plan("Tell me three jokes about unicorns."), network


def skipped() -> tuple[Plan, FakeNetwork]:
    network = FakeNetwork(llm([0.01, {"error": "No slots available (max 1)"}]), newer_tts())
    return plan("Tell me three jokes about unicorns."), network


def refused() -> tuple[Plan, FakeNetwork]:
    return plan("Tell me three jokes about unicorns."), FakeNetwork(None, None)


def free_running() -> tuple[Plan, FakeNetwork]:
    """The model reasons, then streams three sentences; the TTS server is not free for the last one when it is there."""
    network = FakeNetwork(
        answering(
            *words("The user wants a joke.", "reasoning", first=0.31, token=0.04),
            *words("Sure! Here is one about a unicorn.", first=0.05, token=0.03),
            *words(" Its horn was stuck in the door of a very small car.", first=0.21, token=0.03),
            *words(" It had to wait for the sun.", first=0.03, token=0.03),
            {"times": {"prompt_ms": 41.2, "predicted_ms": 1180.04, "cache_n": 12.0}},
            {"usage": 38},
        ),
        newer_tts(spoken(0.21, 640), spoken(0.24, 1700, 25), spoken(0.2, 2900), spoken(0.3, 1500)),
    )
    return speaking(plan("Tell me a joke about a unicorn."), "http://spark:8080/v1", model="small"), network


RUNS = {
    "good": good, "two_turns": two_turns, "failed": failed, "skipped": skipped, "refused": refused,
    "free_running": free_running,
}  # fmt: skip


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wherever this machine is."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


Watched = Callable[[str], tuple[RunRecord, list[Event]]]


@pytest.fixture
def watched(virtual: Any) -> Watched:
    """Play one of the RUNS on virtual time."""

    def play(name: str) -> tuple[RunRecord, list[Event]]:
        planned, network = RUNS[name]()
        seen: list[Event] = []
        clock = replace(virtual.clock, epoch=CHRISTMAS_EVE)
        speak = protocols() if name == "free_running" else chosen(planned.target)
        run = runner.run(planned, speak, network(clock), clock, seen.append)
        return virtual.run(run), seen

    return play


def printed(record: RunRecord, seen: list[Event], width: int) -> str:
    shown = [event for event in seen if event.kind not in timeline.FRAMES]
    live = [line for event in shown for line in timeline.lines(event, record.plan, width)]
    return "\n".join([*terminal.header(record.plan, width), *live, *terminal.report(record, width), ""])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", RUNS)
def test_the_report(watched: Watched, name: str, width: int) -> None:
    record, seen = watched(name)
    text = click.unstyle(printed(record, seen, width))
    golden.check(f"report_{name}_{width}.txt", text)
    assert max(map(len, text.splitlines())) == width


def test_the_json(watched: Watched) -> None:
    record, _ = watched("good")
    golden.check("run_good.json", json.dumps(document.document(record), ensure_ascii=False, indent=2) + "\n")


def test_verbose_shows_every_frame_and_every_timestamp(watched: Watched) -> None:
    record, seen = watched("failed")
    lines = [click.unstyle(line) for event in seen for line in timeline.lines(event, record.plan, 110)]
    assert "[12:34:57.042]   ·  token 'Why '" in lines
    assert sum("  ·  " in line for line in lines) == 12 + len(frames(tone(1722))) + 1
    stamps = list(terminal.timestamps(record, 80))
    assert "  turn 1 chunk 2  tts_first_audio        1766579698.063000  [12:34:58.063]" in stamps
    assert "  turn 1 chunk 2  tts_segment_done       -" in stamps
    assert "  turn 1 chunk 2  tts_first_audio        [12:34:58.063]" in list(terminal.timestamps(record, 60))


def test_times_are_those_of_the_readers_clock(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    record, _ = watched("good")
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    assert timeline.stamp(record.started) == "[18:04:56.789]"
    assert "started 2025-12-24 18:04:56+0530" in list(terminal.report(record, 80))[-2]
    assert document.document(record)["started_at"] == "2025-12-24T12:34:56.789000+00:00"


def verdict(record: RunRecord) -> str:
    return " ".join(click.unstyle(line) for line in terminal.report(record, 80))


def test_the_verdict_says_what_came_of_it(watched: Watched) -> None:
    good, _ = watched("good")
    assert "  OK: first byte within the objective of 1000ms run " in verdict(good)
    doubted = replace(good, doubts=("the event loop stood still for 60 ms", "a GC pause of 40 ms"))
    assert "SUSPECT: the event loop stood still for 60 ms; a GC pause of 40 ms" in verdict(doubted)
    broken = replace(
        good,
        plan=replace(good.plan, scenario=replace(good.plan.scenario, user_turns=("a", "b"))),
        failure=Failure("audio", "noise", "the TTS server sent noise at full scale", good.ended, 2, 1),
    )
    assert "FAILED in turn 2, chunk 1, stage audio, noise: the TTS server sent noise at full scale" in verdict(broken)


def test_a_failure_says_why_before_any_figure_and_what_to_try(watched: Watched) -> None:
    record, _ = watched("failed")
    _, first, *lines = list(terminal.report(record, 110))
    assert click.unstyle(first).startswith("FAILED in chunk 2, stage tts, closed: ")
    assert "Try:    look at the TTS server's log" in lines
    assert "Try:    another thing" in list(terminal.report(record, 110, "another thing"))
    assert sum("FAILED" in line for line in lines) == 0


def test_what_was_not_measured_is_not_shown(watched: Watched) -> None:
    """The LLM server's first token was the last event of the run."""
    record, _ = watched("failed")
    first = record.turns[0].chunks[0]
    nothing = Chunk(1, first.inference_start)
    token = Chunk(1, first.inference_start, token_count=1, llm_first_token=first.llm_first_token)
    for chunk, expected in ((nothing, set()), (token, {"WATERFALL:", "SUMMARY", "CHUNK BREAKDOWN (ms):"})):
        cut = replace(record, turns=(replace(record.turns[0], chunks=(chunk,)),))
        lines = [click.unstyle(line) for line in terminal.report(cut, 80)]
        assert {line for line in lines if line.isupper() or line.endswith("(ms):")} == expected
        assert not any(line.endswith(" -") and "LLM TTFT" in line for line in lines)
        assert not any("Silences" in line or "TTS TTFB:" in line for line in lines)


def test_there_is_advice_for_every_failure() -> None:
    for stage, reasons in REASONS.items():
        for reason in reasons:
            assert advice(Failure(stage, reason, "", 0)), (stage, reason)
    assert advice(Failure("tts", "of another version", "", 0)) is None


def test_advice_on_an_agent_speaks_of_no_other_server() -> None:
    agents: list[Role] = ["agent"]
    for server, stage, reason in may_fail(agents):
        words = advice(Failure(stage, reason, "", 0, server=server)) or ""
        if server == "agent" and stage != "connect":
            assert "LLM server" not in words and "TTS server" not in words
    assert "target's agent" in (advice(Failure("connect", "unauthorized", "", 0, server="agent")) or "")


def test_the_verdict_and_the_colours_are_of_what_the_objective_judges(watched: Watched) -> None:
    good, _ = watched("good")

    def judging(objective_ms: float, run: RunRecord = good) -> RunRecord:
        target = replace(run.plan.target, objective_ms=objective_ms, objective_measure="response_ttfa")
        return replace(run, plan=replace(run.plan, target=target))

    first_sound_ms = measure_run(good)[0].response_ttfa_ms
    assert first_sound_ms is not None
    assert f"OK: first sound within the objective of {first_sound_ms:.0f}ms" in verdict(judging(first_sound_ms))
    late = f"SLOW: the first sound of a response came after {first_sound_ms:.0f}ms, over the objective of 500ms"
    assert late in verdict(judging(500))
    lines = [*terminal.report(judging(500), 80)]
    coloured = [click.unstyle(line).split(":")[0].strip() for line in lines if "\x1b" in line and "(TTF" in line]
    assert coloured == ["First sound (TTFA)"]
    (spoken,) = good.turns
    chunks = [replace(each, sound=each.sound and replace(each.sound, first_audible=None)) for each in spoken.chunks]
    unheard = replace(good, turns=(replace(spoken, chunks=tuple(chunks)),))
    assert "SLOW: no first sound at all in a response, with the objective of 500ms" in verdict(judging(500, unheard))


def test_audio_of_no_chunk_is_reported(watched: Watched) -> None:
    good, _ = watched("good")
    stray = replace(good, turns=(replace(good.turns[0], stray_audio_bytes=4400),))
    assert "  Audio of no chunk:    100ms" in list(terminal.report(stray, 80))
    assert not any("no chunk" in line for line in terminal.report(good, 80))


def test_a_cold_start_is_reported(watched: Watched) -> None:
    good, _ = watched("good")
    assert "  Cold start:           a model was loaded for this run" in list(
        terminal.report(replace(good, cold=True), 80)
    )
    for cold in (False, None):
        assert list(terminal.report(replace(good, cold=cold), 80)) == list(terminal.report(good, 80))


def test_waits_are_shown_beside_what_every_chunk_has(watched: Watched) -> None:
    """Where each chunk was asked for, and the TTS server was not free for one of them."""
    good, _ = watched("good")
    first, second, third = good.turns[0].chunks
    late = replace(second, llm_done=(second.tts_text_sent or 0) - 80_000_000)
    waited = replace(good, turns=(replace(good.turns[0], chunks=(first, late, third)),))
    for width in WIDTHS[1:]:
        lines = list(terminal.report(waited, width))
        (heading,) = (line for line in lines if line.startswith("#  Tokens"))
        assert heading.split("  ") == ["#", "Tokens", "LLM TTFT", "LLM Gen", "Wait", "TTS TTFB", "TTS Gen", "Audio",
                                       "Combined", "Text"]  # fmt: skip
        assert max(map(len, map(click.unstyle, lines))) <= width
    assert "    Avg TTS wait:       27ms" in lines


@pytest.mark.parametrize(
    ("asked", "answered", "shown"),
    [
        ("nosuch", "qwen3-8b", "  Model:                asked for nosuch, answered by qwen3-8b"),
        ("qwen3", "qwen3", None),
        ("qwen3", "qwen3:latest", None),
        ("qwen3", None, None),
        (None, "qwen3", None),
    ],
)
def test_another_model_than_the_one_asked_for_is_named(
    watched: Watched, asked: str | None, answered: str | None, shown: str | None
) -> None:
    good, _ = watched("good")
    options = {} if asked is None else {"model": asked}
    llm = replace(good.plan.target.servers["llm"], options=options)
    target = replace(good.plan.target, servers={**good.plan.target.servers, "llm": llm})
    turns = tuple(replace(turn, model=answered) for turn in good.turns)
    lines = [
        click.unstyle(line)
        for line in terminal.report(replace(good, plan=replace(good.plan, target=target), turns=turns), 80)
    ]
    assert [line for line in lines if line.startswith("  Model:")] == ([] if shown is None else [shown])


def test_what_a_server_says_can_not_break_the_layout(watched: Watched) -> None:
    """Line breaks, escape sequences, wide words: the text of a chunk stays in its column."""
    good, _ = watched("good")
    nasty = "\x1b[31mred\n\r\ttab\u202e " + "x" * 300
    chunks = tuple(replace(chunk, text=nasty) for chunk in good.turns[0].chunks)
    times = dict.fromkeys(["\x1b[31mred\n_ms", *(f"step_{number}_ms" for number in range(20))], 1e3)
    text = list(terminal.report(replace(good, turns=(replace(good.turns[0], chunks=chunks, server_times=times),)), 80))
    assert all(click.unstyle(line).isprintable() and len(click.unstyle(line)) <= 80 for line in text)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("warning", "TTS server: slow down", "[12:34:56.789] Warning: TTS server: slow down"),
        ("connected", "LLM ws://spark:8002/ws", "[12:34:56.789] Connected: LLM ws://spark:8002/ws"),
    ],
)
def test_what_belongs_to_no_chunk_is_a_line_too(kind: Any, text: str, expected: str) -> None:
    (line,) = timeline.lines(Event(CHRISTMAS_EVE, kind, 1, None, text), plan("Hello?"), 110)
    assert click.unstyle(line) == expected


def test_an_end_without_a_reason_says_none() -> None:
    ended = Chunk(1, CHRISTMAS_EVE, token_count=1, llm_done=CHRISTMAS_EVE + 5_000_000, final=True)
    (line,) = timeline.lines(Event(CHRISTMAS_EVE, "llm_chunk_end", 1, ended), plan("Hello?"), 110)
    assert line == "[12:34:56.789]  └─ Done: 1 token, 5ms"


@pytest.mark.parametrize("width", WIDTHS)
def test_arrivals_without_the_kernels_time_are_reported(watched: Watched, width: int) -> None:
    good, _ = watched("good")
    lines = list(terminal.report(replace(good, unstamped=31), width))
    assert "Error bars: wider: 31 reads without the kernel's time of arrival" in " ".join(" ".join(lines).split())
    assert max(map(len, map(click.unstyle, lines))) <= width
