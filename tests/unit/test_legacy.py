"""Records from before servers' words had a field of their own: what may quote a server is no message of ours."""

import json
from dataclasses import replace
from typing import Any

import pytest
from runs import START, failed, record, skipped

from probe.measures import outcome
from probe.plan import Role
from probe.record import INTERRUPTED, Connect, Failure, RunRecord, Stage


def as_before(run: RunRecord) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run.to_json())
    del document["said"]
    return document


def read(document: dict[str, Any]) -> RunRecord:
    return RunRecord.from_json(json.dumps(document))


def test_what_a_failure_said_is_kept_apart() -> None:
    document = as_before(failed())
    document["failure"]["detail"] = "LLM server: can't say 'cross the road?'"
    found = read(document)
    assert found.failure is not None and failed().failure is not None
    assert found.failure == replace(found.failure, detail="")
    assert (found.failure.stage, found.failure.reason) == ("tts", "no_audio")
    assert found.said == ("LLM server: can't say 'cross the road?'",)


@pytest.mark.parametrize(
    "reason",
    [
        "the previous run is still going",
        "1 stream in use",
        "2 streams in use, still so after 60 s",
        "a server does not say whether it is in use, still so after 0.5 s",
    ],
)
def test_a_reason_to_skip_that_is_ours_stays(reason: str) -> None:
    found = read(as_before(skipped()) | {"skipped": reason})
    assert (found.skipped, found.said) == (reason, ())


@pytest.mark.parametrize(
    "reason",
    [
        "No slots available (max 1)",
        "HTTP 429 for /v1/chat/completions: no room for 'Tell me a joke.'",
        "Tell me a joke. 1 stream in use, still so after 60 s",
        "1 stream in use: Tell me a joke.",
    ],
)
def test_a_reason_to_skip_that_a_server_gave_is_kept_apart(reason: str) -> None:
    found = read(as_before(skipped()) | {"skipped": reason})
    assert (found.skipped, found.said) == ("all its slots are taken", (reason,))


@pytest.mark.parametrize("since", ["0.1", "words apart"])
def test_a_run_that_was_stopped_was_no_failure(since: str) -> None:
    """It used to fail with the stage internal; three restarts were three failures in a row."""
    document = json.loads(failed().to_json()) | {"said": []}
    document["failure"] |= {"stage": "internal", "reason": "interrupted", "detail": "the run was interrupted"}
    if since == "0.1":
        del document["said"]
    found = read(document)
    assert (found.failure, found.skipped, found.said) == (None, INTERRUPTED, ())
    assert outcome(found) == "skipped"
    assert read(json.loads(found.to_json())) == found


@pytest.mark.parametrize(
    ("stage", "connects", "server"),
    [
        ("tts", (), "tts"),
        ("llm", (), "llm"),
        ("audio", (), "tts"),
        ("internal", (Connect("llm", START, None),), None),
        ("connect", (Connect("llm", START, None),), "llm"),
        ("connect", (Connect("llm", START, START + 1), Connect("tts", START + 1, None)), "tts"),
        # To release the slot, after the failure.
        ("connect", (Connect("tts", START, None), Connect("llm", START + 99, None)), "tts"),
        ("connect", (), None),
    ],
)
def test_a_failure_names_its_server(stage: Stage, connects: tuple[Connect, ...], server: Role | None) -> None:
    run = replace(failed(), connects=connects, failure=Failure(stage, "timeout", "", START + 50))
    document = json.loads(run.to_json())
    del document["failure"]["server"]
    found = read(document)
    assert found.failure is not None and found.failure.server == server


def test_a_doubt_quotes_nothing() -> None:
    quoting = "turn 1, chunk 2: its audio is text, beginning with '<html>Tell me a joke.'"
    ours = "the event loop was late by 31 ms"
    found = read(as_before(record()) | {"doubts": [ours, quoting]})
    assert found.doubts == (ours, "turn 1, chunk 2: its audio is text")
    assert found.said == ()


def test_a_record_of_today_stays_as_it_is() -> None:
    for run in (record(), failed(), skipped()):
        assert RunRecord.from_json(run.to_json()) == run
