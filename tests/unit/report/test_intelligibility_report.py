"""What a person, a log, a page and a trace have of a transcribed answer; its words are for the run's owner alone."""

import io
import json
from dataclasses import replace
from typing import Any

import click
import pytest
from runs import NOT_UNDERSTOOD, TRANSCRIPT, UNDERSTOOD, hearing, record
from taint import leaked

from probe.daemon.log import make_logger
from probe.record import RunRecord
from probe.report import runs, sample, terminal
from probe.report.document import document
from probe.report.html import run_page
from probe.report.log_lines import LogSink
from probe.report.wordless import without_words
from probe.tracing.later import later_spans
from probe.tracing.spans import spans
from probe.transcription import Transcription

GOOD, BAD = (replace(record(), transcription=found) for found in (UNDERSTOOD, NOT_UNDERSTOOD))


def shown(run: RunRecord, width: int = 80) -> str:
    lines = [click.unstyle(line) for line in terminal.report(run, width)]
    assert max(map(len, lines)) <= width
    return "\n".join(lines)


@pytest.mark.parametrize("width", [60, 100])
def test_the_report_has_the_rate_and_the_transcript(width: int) -> None:
    text = shown(GOOD, width)
    assert "Word error rate:    14.3% (1 error in 7 words)" in text
    assert "Transcript:" in text and "popcorn" in text


def test_the_report_says_why_there_is_none_with_the_servers_words() -> None:
    text = shown(BAD)
    assert "Not transcribed:    stt/server_error: STT server: it reports an error; STT" in text
    assert "too loud" in text
    assert "recogniser" not in shown(record())


def test_the_json_has_all_of_it() -> None:
    found = document(GOOD)["intelligibility"]
    assert (found["word_error_rate"], found["words"], found["errors"]) == (0.1429, 7, 1)
    assert found["turns"][0]["transcript"] == TRANSCRIPT and found["not_transcribed"] is None
    wrong = document(BAD)["intelligibility"]
    assert (wrong["word_error_rate"], wrong["words"], wrong["turns"]) == (None, None, [])
    assert wrong["not_transcribed"]["reason"] == "server_error"
    assert document(record())["intelligibility"] is None


def test_the_page_shows_it_beside_what_was_said_and_without_words_only_the_rate() -> None:
    page = run_page.fragment(GOOD, GOOD.ended)
    assert TRANSCRIPT in page and "Word error rate: 14.3% (1 error in 7 words)" in page
    quiet = without_words(GOOD)
    page = run_page.fragment(quiet, GOOD.ended)
    assert "popcorn" not in page and "[34 characters]" in page and "14.3%" in page
    assert "popcorn" not in run_page.fragment(without_words(BAD), GOOD.ended)


def test_a_page_without_words_has_none_of_the_user_either() -> None:
    page = run_page.fragment(without_words(hearing()), GOOD.ended)
    assert "choke" not in page


@pytest.mark.parametrize("found", [UNDERSTOOD, NOT_UNDERSTOOD])
def test_a_record_with_it_can_be_read_again(found: Transcription) -> None:
    run = replace(record(), transcription=found)
    assert RunRecord.from_json(run.to_json()) == run


def logged(run: RunRecord, found: Transcription, *, texts: bool = False) -> dict[str, Any]:
    stream = io.StringIO()
    LogSink(make_logger(stream), log_texts=texts).write_later(run, found)
    fields: dict[str, Any] = json.loads(stream.getvalue())
    return fields


def test_the_log_has_the_figure_and_the_words_only_where_they_are_asked_for() -> None:
    line = logged(record(), UNDERSTOOD)
    assert (line["event"], line["level"], line["target"]) == ("answer transcribed", "info", "local")
    assert (line["word_error_ratio"], line["words"], line["errors"], line["took_ms"]) == (0.1429, 7, 1, 1500.0)
    assert leaked([GOOD], [json.dumps(line)]) == []
    assert logged(record(), UNDERSTOOD, texts=True)["transcripts"] == [TRANSCRIPT]
    line = logged(record(), NOT_UNDERSTOOD)
    assert (line["event"], line["level"]) == ("answer not transcribed", "warning")
    assert (line["stage"], line["reason"]) == ("stt", "server_error")
    assert leaked([BAD], [json.dumps(line)]) == []


def test_its_span_is_in_the_runs_trace_and_comes_after_the_others() -> None:
    (span,) = later_spans(GOOD)
    assert (span.name, span.parent_id, span.kind) == ("speech_to_text local", GOOD.plan.span_id, "client")
    assert span.span_id not in {each.span_id for each in spans(GOOD)}
    assert (span.start, span.end) == (UNDERSTOOD.started, UNDERSTOOD.ended)
    assert span.attributes["probe.answer_word_error_ratio"] == pytest.approx(1 / 7)
    assert (span.attributes["server.address"], span.attributes["server.port"]) == ("localhost", 10300)
    (span,) = later_spans(BAD)
    assert span.error is not None and span.error.type == "server_error"
    assert "probe.answer_word_error_ratio" not in span.attributes
    assert later_spans(record()) == []
    assert spans(GOOD) == spans(record()), "those of the run may have been sent already"


def test_of_many_runs_there_is_a_remark() -> None:
    remarks = [*sample.remarks([GOOD, BAD, record(3)])]
    assert "Word error rate of 1 answer that a recogniser transcribed: p50 14.3%, highest 14.3%." in remarks
    assert "1 answer could not be transcribed." in remarks


def test_a_list_of_runs_has_the_rate_and_remarks_on_a_garbled_answer() -> None:
    garbled = replace(UNDERSTOOD, turns=(replace(UNDERSTOOD.turns[0], errors=6),))
    entries = [runs.entry(each) for each in (GOOD, BAD, replace(record(2), transcription=garbled))]
    assert [each["answer_word_error_rate"] for each in runs.document(entries)["runs"]] == [0.1429, None, 0.8571]
    text = "\n".join(click.unstyle(line) for line in runs.overview(entries, 100))
    assert text.count("not understood") == 1 and "not understood: word error rate 85.7%" in text
