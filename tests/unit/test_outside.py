"""What of the wait for the first token the LLM server did not count."""

from dataclasses import replace

import pytest
from runs import free_running, record

from probe.measures import measure_turn
from probe.outside import outside_ms, server_ttft_ms
from probe.record import Turn


def outside(turn: Turn) -> float | None:
    return outside_ms(turn, measure_turn(turn))


def test_it_is_our_ttft_without_the_servers() -> None:
    """Of 50 ms, the server counts 41.5, or what its chunks say."""
    assert outside(replace(free_running().turns[0], server_ttft_ms=41.5)) == pytest.approx(8.5)
    assert outside(record().turns[0]) == pytest.approx(10.0)
    assert server_ttft_ms(record().turns[0]) == 40.0


def test_a_server_that_counts_more_than_we_do_leaves_nothing() -> None:
    assert outside(replace(free_running().turns[0], server_ttft_ms=51.0)) == 0.0


def test_what_is_not_known_is_none() -> None:
    assert outside(free_running().turns[0]) is None
    assert outside(replace(record().turns[0], chunks=())) is None
