"""What of the wait for the first token the LLM server did not count."""

from dataclasses import replace

import pytest
from runs import free_running, record

from probe.measures import measure_run, measure_turn
from probe.outside import outside_ms, outside_of_run, server_ttft_ms
from probe.record import RunRecord, Turn
from probe.server_state import ServerFigures


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


def of_run(record: RunRecord) -> float | None:
    return outside_of_run(record, measure_run(record))


@pytest.mark.parametrize(
    ("reported", "found"),
    [
        (ServerFigures(first_token_ms=41.5, requests=1), 8.5),
        # One of them was not ours.
        (ServerFigures(first_token_ms=41.5, requests=2), None),
        (ServerFigures(running=1), None),
    ],
)
def test_without_a_word_in_the_answer_what_the_server_counted_says_it(
    reported: ServerFigures, found: float | None
) -> None:
    run = replace(free_running(), reported={"llm": reported})
    assert of_run(run) == (None if found is None else pytest.approx(found))


def test_the_answer_itself_comes_first() -> None:
    reported = ServerFigures(first_token_ms=1.0, requests=1)
    assert of_run(replace(record(), reported={"llm": reported})) == pytest.approx(10.0)
    assert of_run(replace(record(), turns=())) is None
