"""Alive, or not and why."""

import time

import pytest

from probe.daemon.health import STUCK_S, Health


def test_a_loop_that_beats_is_well() -> None:
    health = Health()
    health.note(None)
    assert health.complaint() is None


def test_what_the_schedule_says_is_passed_on() -> None:
    health = Health()
    health.note("a run does not end")
    assert health.complaint() == "a run does not end"


def test_silence_outweighs_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health()
    health.note("old news")
    later = time.monotonic() + STUCK_S + 5
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert health.complaint() == "the event loop has been stuck for 15 s"
