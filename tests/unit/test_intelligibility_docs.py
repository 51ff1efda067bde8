"""docs/intelligibility.md and docs/telemetry.md say what the code does."""

import re
from dataclasses import replace
from pathlib import Path

from runs import NOT_UNDERSTOOD, UNDERSTOOD, record

from probe import intelligibility, words
from probe.config.intelligibility import IntelligibilityConfig
from probe.daemon import transcriber
from probe.metrics.intelligibility import BUCKETS, NOT_TRANSCRIBED
from probe.spoken_words import compared
from probe.tracing.later import later_spans
from probe.transcription import GARBLED

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "intelligibility.md").read_text("utf-8")
TELEMETRY = (DOCS / "telemetry.md").read_text("utf-8")


def test_every_reason_is_explained() -> None:
    rows = re.findall(r"^\| (\w+) \| (.*?) \|", PAGE.partition("| stage | reason |")[2], re.MULTILINE)
    explained = {(stage, reason) for stage, reasons in rows for reason in re.findall(r"`(\w+)`", reasons)}
    known = {(stage, reason) for stage, reasons in NOT_TRANSCRIBED.items() for reason in reasons if stage != "connect"}
    assert explained == known


def test_every_attribute_of_the_span_is_named() -> None:
    runs = [replace(record(), transcription=found) for found in (UNDERSTOOD, NOT_UNDERSTOOD)]
    names = {name for run in runs for span in later_spans(run) for name in span.attributes}
    assert {name for name in names if f"`{name}`" not in TELEMETRY} == set()


def test_the_defaults_and_the_bounds_are_those_of_the_code() -> None:
    chosen = IntelligibilityConfig()
    for name in ("every_s", "timeout_s", "max_wait_s"):
        assert re.search(rf"^{name} = {getattr(chosen, name):g} ", PAGE, re.MULTILINE), name
    assert f"At most {words.MAX_WORDS} words" in PAGE and f"at most {intelligibility.LONGEST_S:g} s" in PAGE
    assert transcriber.MOST_WAITING == transcriber.MOST_ATTEMPTS == 3 and "at most three answers" in PAGE
    assert f"{transcriber.MOST_BYTES // 2**20} MiB" in PAGE


def test_the_examples_of_what_is_no_error_are_none() -> None:
    table = PAGE.partition("| | for example |")[2].partition("\n\n")[0]
    pairs = re.findall(r"`([^`]+)` and `([^`]+)`", table)
    assert len(pairs) == 6
    assert [(said, understood) for said, understood in pairs if compared(said, understood)[1]] == []


def test_what_counts_as_garbled_is_the_same_in_the_alert() -> None:
    rules = (DOCS.parent / "deploy" / "prometheus" / "voice_probe_alerts.yml").read_text("utf-8")
    assert f'answer_word_error_ratio_bucket{{le="{GARBLED:g}"}}[1h]' in rules
    assert GARBLED in BUCKETS
