"""The spans of a run: their tree, times, attributes and errors, from records written out by hand."""

from dataclasses import replace

import pytest
from runs import MS, START, failed, free_running, hearing, misheard, on_a_machine, record, refused, skipped
from targets import with_server

import golden
from probe.record import INTERRUPTED, Connect, Failure, RunRecord, ServerIdentity, Turn
from probe.tracing.span import Span, SpanError
from probe.tracing.spans import spans


def drawn(run: RunRecord) -> str:
    """The tree as text: times in ms since the run's start."""
    made = spans(run)
    depth: dict[str | None, int] = {None: -1}
    lines = []
    for span in made:
        depth[span.span_id] = depth[span.parent_id] + 1
        margin = "  " * depth[span.span_id]
        lines.append(f"{margin}{span.name}  {ms(run, span.start)} → {ms(run, span.end)}  {span.kind} {span.span_id}")
        lines += [f"{margin}  . {name} = {value!r}" for name, value in span.attributes.items()]
        lines += [f"{margin}  * {event.name} at {ms(run, event.at)}" for event in span.events]
        lines += [f"{margin}  ! {span.error.type}: {span.error.detail}"] if span.error else []
    return "\n".join(lines) + "\n"


def ms(run: RunRecord, at: int) -> str:
    return f"{(at - run.started) / MS:g}"


def test_the_model_is_named_where_it_is_known() -> None:
    run = replace(record(), served=ServerIdentity("small.gguf", "b1"))
    [chat, _] = named(run, "chat small.gguf")
    assert chat.attributes["gen_ai.request.model"] == "small.gguf"
    assert not named(run, "chat local")
    assert "gen_ai.request.model" not in named(record(), "chat local")[0].attributes


def test_the_model_that_was_asked_for_outranks_what_the_server_calls_it() -> None:
    run = replace(free_running(), served=ServerIdentity("/models/small.gguf", "b1"))
    assert {span.attributes["gen_ai.request.model"] for span in named(run, "chat small")} == {"small"}
    spoken = with_server(run.plan.target, "tts", model="kokoro")
    run = replace(run, plan=replace(run.plan, target=spoken))
    assert {span.attributes["gen_ai.request.model"] for span in named(run, "text_to_speech kokoro")} == {"kokoro"}


def test_the_tokens_of_an_answer_are_counted_once() -> None:
    """As the server counted them, with the request for the answer; else what came in each chunk."""
    tokens = "gen_ai.usage.output_tokens"
    run = free_running()
    assert [span.attributes.get(tokens) for span in named(run, "chat small")] == [31, None, None]
    uncounted = replace(run, turns=(replace(run.turns[0], usage_tokens=None),))
    assert [span.attributes.get(tokens) for span in named(uncounted, "chat small")] == [4, 4, 4]
    paused = record()
    paused = replace(paused, turns=(replace(paused.turns[0], usage_tokens=31),))
    assert [span.attributes.get(tokens) for span in named(paused, "chat local")] == [4, 4]


def test_the_first_token_of_the_answer_is_an_event_where_the_model_reasoned_before() -> None:
    first, second, _ = named(free_running(), "chat small")
    assert [event.name for event in first.events] == ["first_token", "first_answer_token"]
    assert [event.name for event in second.events] == ["first_token"]


def named(run: RunRecord, name: str) -> list[Span]:
    return [span for span in spans(run) if span.name == name]


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("ok", record()),
        ("failed", failed()),
        ("refused", refused()),
        ("skipped", skipped()),
        ("free_running", replace(free_running(), cold=True)),
        ("hearing", hearing()),
        ("misheard", misheard()),
        ("machine", on_a_machine()),
    ],
)
def test_the_tree_is_as_agreed(name: str, run: RunRecord) -> None:
    golden.check(f"spans_{name}.txt", drawn(run))


def test_the_same_record_makes_the_same_spans_and_another_run_others() -> None:
    assert spans(record(1)) == spans(RunRecord.from_json(record(1).to_json()))
    ids = [span.span_id for number in range(50) for span in spans(record(number))]
    assert len(set(ids)) == len(ids)
    assert {len(each) for each in ids} == {16}


def test_the_root_has_the_planned_ids() -> None:
    root = spans(record())[0]
    assert (root.span_id, root.parent_id) == (record().plan.span_id, None)


def test_a_reconnect_that_came_after_the_end_has_its_own_time() -> None:
    run = failed()
    late = Connect("llm", run.ended + MS, None)
    span = named(replace(run, connects=(*run.connects, late)), "connect")[-1]
    assert (span.start, span.end) == (late.start, late.start)
    assert span.error is not None and span.error.type == "_OTHER"


def test_a_run_that_was_stopped_has_no_error() -> None:
    run = replace(record(), connects=(Connect("llm", START, None),), skipped=INTERRUPTED)
    assert [span.name for span in spans(run) if span.error] == []


def test_a_turn_that_asked_for_nothing_has_no_span() -> None:
    run = record()
    failure = Failure("tts", "no_stream", "it did not become ready", run.ended, 2)
    run = replace(run, turns=(*run.turns, Turn(2, "And?", ())), failure=failure)
    assert len(named(run, "probe.turn")) == 1
    assert spans(run)[0].error == SpanError("no_stream", "it did not become ready")


def test_a_failure_marks_only_the_way_to_it() -> None:
    wrong = [span.name for span in spans(failed()) if span.error]
    assert wrong == ["probe.run", "probe.turn", "probe.chunk", "text_to_speech local"]


def test_an_audio_failure_is_the_speech_spans_and_does_not_stretch_it() -> None:
    run = record()
    done = run.turns[0].chunks[0].tts_segment_done
    run = replace(run, failure=Failure("audio", "silent", "nothing but silence", run.ended, 1, 1))
    first, second = named(run, "text_to_speech local")
    assert first.error is not None and first.end == done
    assert second.error is None


def test_what_was_said_and_secrets_stay_here() -> None:
    for run in (record(), failed(), refused(), skipped()):
        text = drawn(run)
        for secret in ("unicorn", "cross the road", "Tell me", "Be brief", "hunter", "can't say", "No slots"):
            assert secret not in text


def test_a_span_that_was_cut_off_ends_with_the_run() -> None:
    run = failed()
    cut = named(run, "text_to_speech local")[-1]
    assert run.failure is not None and cut.end == run.failure.at
    whole = replace(run.turns[0].chunks[0], llm_done=None, llm_first_token=None, tts_text_sent=None)
    stuck = replace(run, turns=(replace(run.turns[0], chunks=(whole,)),), failure=replace(run.failure, chunk_num=1))
    assert named(stuck, "chat local")[0].end == run.failure.at
    assert run.failure.at > START
