"""Records that were written once can be read for as long as a history keeps them.

A new field of a record has a default; one that goes, or changes its meaning, needs a new version of the history. The
golden files are what the first version wrote: they stay as they are.
"""

import pytest
from runs import failed, record, suspect

from golden import GOLDEN
from probe.drift.fingerprint import Fingerprint, fingerprint
from probe.record import RunRecord

KEPT = {"ok": record(), "failed": failed(), "suspect": suspect()}


@pytest.mark.parametrize("name", KEPT)
def test_a_record_of_the_first_version_can_still_be_read(name: str) -> None:
    assert RunRecord.from_json((GOLDEN / f"record_v1_{name}.json").read_text("utf-8")) == KEPT[name]


def test_a_record_of_the_first_version_is_compared_with_those_of_today() -> None:
    """The fingerprint is what version 0.1 computed of the same record: an upgrade begins no baseline anew."""
    old = RunRecord.from_json((GOLDEN / "record_v1_ok.json").read_text("utf-8"))
    assert fingerprint(old) == Fingerprint("", "aria en 22000 Hz", "ad1eb1b8")
