"""Of one turn of the event loop only so much goes into what servers send, and all that wait get their turn."""

import asyncio
import time

import pytest

from probe.transport import share

TURN_S = 0.0005


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "SHARE_S", TURN_S)
    monkeypatch.setattr(share, "FREE_S", 0.0)


def work() -> None:
    """Take more CPU time than there is in one turn."""
    until = time.thread_time() + 2 * TURN_S
    while time.thread_time() < until:
        pass


async def test_the_share_is_used_up_by_all_together_and_there_is_another_in_the_next_turn() -> None:
    one = share.of_this_loop()
    assert one is share.of_this_loop()
    assert not one.is_used_up()
    work()
    assert one.is_used_up(), "whoever did it"
    await asyncio.sleep(0)
    assert not one.is_used_up()


async def test_what_was_done_before_the_question_counts() -> None:
    assert share.of_this_loop().is_used_up(busy_s=2 * TURN_S)


async def test_what_comes_after_a_rest_is_done_at_once_or_in_a_turn_of_its_own() -> None:
    ours, done = share.of_this_loop(), list[str]()

    def one(name: str) -> None:
        work()
        done.append(name)

    for name in "abc":
        ours.in_turn(lambda name=name: one(name))  # type: ignore[misc]
    assert done == ["a"]
    while len(done) < 3:
        before = len(done)
        await asyncio.sleep(0)
        assert len(done) <= before + 1
    assert done == ["a", "b", "c"]


async def test_those_that_wait_have_one_turn_each_in_their_order() -> None:
    loop, done = asyncio.get_running_loop(), list[tuple[str, int]]()
    turns = 0

    def next_turn() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(next_turn)

    async def greedy(name: str) -> None:
        ours = share.of_this_loop()
        for _ in range(3):
            ours.is_used_up()
            work()
            assert ours.is_used_up()
            await ours.my_turn()
            done.append((name, turns))

    next_turn()
    await asyncio.gather(*map(greedy, "abc"))
    assert "".join(name for name, _ in done) == "abc" * 3
    assert len({turn for _, turn in done}) == len(done), "two in one turn would hold up the others for twice as long"


async def test_work_that_can_t_be_left_waits_for_a_turn_that_has_room() -> None:
    loop, done = asyncio.get_running_loop(), list[int]()
    turns = 0

    def next_turn() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(next_turn)

    async def read() -> None:
        await share.my_turn()
        work()
        done.append(turns)

    next_turn()
    await asyncio.gather(*(read() for _ in range(4)))
    assert len(set(done)) == len(done)


async def test_work_in_slices_is_left_where_the_share_is_used_up_and_its_result_comes() -> None:
    others = 0

    def slices() -> share.Slices[str]:
        for _ in range(5):
            work()
            yield
        return "done"

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(other())
    assert await share.in_slices(slices()) == "done"
    beside.cancel()
    assert others >= 4


async def test_who_has_to_be_last_comes_after_all_that_wait() -> None:
    ours, done = share.of_this_loop(), list[str]()
    await ours.after_those_that_wait()
    assert ours.is_used_up(busy_s=2 * TURN_S)
    for name in "abc":
        ours.when_it_is_my_turn(lambda name=name: done.append(name))  # type: ignore[misc]
    await ours.after_those_that_wait()
    assert done == ["a", "b", "c"]


async def test_nothing_is_counted_where_nothing_took_long() -> None:
    ours = share.of_this_loop()
    work()
    assert not ours.is_known_to_be_used_up()
    ours.note(2 * TURN_S)
    assert ours.is_known_to_be_used_up()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not ours.is_known_to_be_used_up()


async def test_one_who_has_left_keeps_nobody_waiting() -> None:
    ours = share.of_this_loop()
    gone = asyncio.ensure_future(ours.my_turn())
    await asyncio.sleep(0)
    gone.cancel()
    ours.is_used_up()
    async with asyncio.timeout(60):
        await ours.my_turn()
