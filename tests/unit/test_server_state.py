"""What a server reported before and after a run → what that says of the run."""

from dataclasses import replace

import pytest

from probe.server_state import ServerFigures, ServerState, figures, known

BEFORE = ServerState(
    running=1, waiting=2, cache_used=0.5, queue_s=10.0, queued=100, first_token_s=50.0, begun=100, looked_up=1000,
    found=500,
)  # fmt: skip


def test_what_only_grows_is_counted_from_before_to_after() -> None:
    after = ServerState(queue_s=10.1, queued=102, first_token_s=50.6, begun=102, looked_up=1200, found=650)
    found = figures(BEFORE, after)
    assert (found.running, found.waiting, found.cache_used, found.requests) == (1, 2, 0.5, 2)
    assert found.queue_ms == pytest.approx(50.0)
    assert found.first_token_ms == pytest.approx(300.0)
    assert found.cache_hit == pytest.approx(0.75)


@pytest.mark.parametrize("after", [None, ServerState(), ServerState(queue_s=0.1, queued=1, begun=1, looked_up=5)])
def test_a_server_that_is_gone_or_began_anew_says_nothing_of_the_run(after: ServerState | None) -> None:
    assert figures(BEFORE, after) == ServerFigures(1, 2, 0.5)


def test_a_server_that_was_started_again_and_has_counted_further_since_says_nothing_of_the_run() -> None:
    before, after = (replace(BEFORE, started=at, begun=begun) for at, begun in ((50.0, 2), (90.5, 3)))
    assert figures(before, after) == ServerFigures(1, 2, 0.5, started=50.0)


def test_a_run_without_a_request_has_no_means() -> None:
    assert figures(BEFORE, BEFORE) == ServerFigures(1, 2, 0.5, requests=0)


def test_who_has_users_and_who_counts() -> None:
    assert (BEFORE.users, ServerState(waiting=2).users, ServerState().users) == (3, 2, None)
    assert (BEFORE.counts, ServerState(running=1).counts) == (True, False)
    assert known(ServerFigures(running=0, cache_hit=0.5)) == {"running": 0, "cache_hit": 0.5}
