"""A detector's state: it goes on as if nothing had been, and is refused where it is none."""

import hashlib
import json
from dataclasses import replace

import pytest
from series import DAY, SERVED, noisy, spiked, step, watched

from probe.drift import Monitor
from probe.drift.series import Point
from probe.drift.state import VERSION, Kept, StateError, decode, encode, shape

OF = ("spark", "joke")
AT = 2 * DAY + 30


def runs() -> list[Point]:
    """A change that goes, another server, and one that stays."""
    there = list(spiked(noisy(AT + 700, factors=step(AT, 1.3, until=AT + 120)), 5, 0.03))
    other = [replace(each, serving=replace(SERVED, llm="b2")) for each in there[AT + 200 :]]
    return [*there[: AT + 200], *other]


def test_what_is_read_back_goes_on_as_if_nothing_had_been() -> None:
    """Saved and read back while it learns, before and after changes, and after another model."""
    never, restarted = Monitor(), Monitor()
    for number, each in enumerate(runs()):
        if number in {0, 30, 100, AT, AT + 20, AT + 130, AT + 210, AT + 300}:
            data = encode(OF, Kept("r", restarted, dict.fromkeys("r", *restarted.changes[:1])))
            kept = decode(data, OF)
            assert encode(OF, kept) == data
            restarted = kept.monitor
        assert restarted.add(each) == never.add(each)
        if number % 20 == 0:
            assert restarted.verdict() == never.verdict()
    assert len(never.changes) == 2
    assert encode(OF, Kept("r", restarted, {})) == encode(OF, Kept("r", never, {}))


def test_it_is_small_enough_for_a_hundred_series() -> None:
    monitor = Monitor()
    watched(noisy(3000), monitor)
    assert len(encode(OF, Kept("r", monitor, {}))) < 600_000


@pytest.mark.parametrize("at", [0, 40, 1000])
def test_a_changed_byte_is_noticed(at: int) -> None:
    data = bytearray(encode(OF, Kept("r", Monitor(), {})) + bytes(1001))
    data[at] ^= 1
    with pytest.raises(StateError, match="damaged"):
        decode(bytes(data), OF)


def test_another_series_has_another_state() -> None:
    with pytest.raises(StateError, match="another series"):
        decode(encode(OF, Kept("r", Monitor(), {})), ("spark", "other"))


def test_only_kinds_that_are_known_are_written() -> None:
    class Other(Monitor):
        pass

    with pytest.raises(StateError, match="Other"):
        encode(OF, Kept("r", Other(), {}))


def test_whoever_changes_what_a_detector_holds_changes_the_version() -> None:
    """Its states would be read, and go wrong: raise VERSION, then put the new digest here."""
    digest = hashlib.sha256(json.dumps(shape(), sort_keys=True).encode()).hexdigest()[:12]
    assert (VERSION, digest) == (4, "4b2f27cf2c31")
