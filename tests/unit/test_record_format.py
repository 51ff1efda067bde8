"""Records that were written once can be read for as long as a history keeps them.

A new field of a record has a default; one that goes, or changes its meaning, needs a new version of the history. The
golden files are what the first version wrote: they stay as they are.
"""

from dataclasses import replace

import pytest
from runs import MS, failed, record, suspect

from golden import GOLDEN
from probe.drift.fingerprint import Fingerprint, fingerprint
from probe.record import Chunk, RunRecord


def as_then(run: RunRecord) -> RunRecord:
    """The same run with a probe that took a millisecond to hand a text on, as it was when the files were written.

    Answers had no limit then.
    """
    run = replace(run, plan=replace(run.plan, scenario=replace(run.plan.scenario, max_answer_tokens=None)))

    def slower(each: Chunk) -> Chunk:
        return replace(each, tts_text_sent=(each.tts_text_sent or 0) + MS)

    turns = tuple(replace(turn, chunks=tuple(map(slower, turn.chunks))) for turn in run.turns)
    if run.failure is None:
        return replace(run, turns=turns)
    # Its deadline counts from there. What it says of the failure may quote a server, and so all of it is kept as that.
    failure = replace(run.failure, at=run.failure.at + MS, detail="")
    said = ("no audio for 'cross the road?': nothing for 10 s",)
    return replace(run, turns=turns, ended=run.ended + MS, failure=failure, said=said)


KEPT = {"ok": as_then(record()), "failed": as_then(failed()), "suspect": as_then(suspect())}


@pytest.mark.parametrize("name", KEPT)
def test_a_record_of_the_first_version_can_still_be_read(name: str) -> None:
    assert RunRecord.from_json((GOLDEN / f"record_v1_{name}.json").read_text("utf-8")) == KEPT[name]


def test_a_record_of_the_first_version_is_compared_with_those_of_today() -> None:
    """The fingerprint is what version 0.1 computed of the same record: an upgrade starts no new baseline."""
    old = RunRecord.from_json((GOLDEN / "record_v1_ok.json").read_text("utf-8"))
    assert fingerprint(old) == Fingerprint("", "aria en 22000 Hz", "ad1eb1b8")
