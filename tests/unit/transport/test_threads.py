"""Work that nobody has to wait for."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from probe.transport import threads
from probe.transport.threads import MOST_THREADS, in_a_thread

PATIENCE_S = 60


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread of another test's."""
    monkeypatch.setattr(threads, "_POOL", threads._Pool())


def test_what_it_returns_and_what_it_raises() -> None:
    assert asyncio.run(in_a_thread("good", partial(divmod, 7, 2))) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_a_thread("bad", partial(divmod, 7, 0)))
    assert threads._GOING == {}


@contextmanager
def hanging() -> Iterator[Callable[[], bool]]:
    """Work that hangs until the end."""
    over = threading.Event()
    try:
        yield partial(over.wait, PATIENCE_S)
    finally:
        over.set()


def lookups() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("lookup-")]


def test_work_that_hangs_takes_one_thread_however_often_it_is_asked_for_and_does_not_hold_up_the_end() -> None:
    """Far more of it than the loop has threads; and their late results have no effect."""
    before = set(lookups())
    with hanging() as hangs:

        async def go() -> int:
            asked = [asyncio.ensure_future(in_a_thread("hangs", hangs)) for _ in range(50)]
            try:
                return await in_a_thread("another", lambda: 1)
            finally:
                for each in asked:
                    each.cancel()

        # Held up, it would not end at all.
        assert asyncio.run(go()) == 1
        # What is asked for last may be done before the others begin, and its thread is free again.
        assert 1 <= len(set(lookups()) - before) <= 2
        assert all(thread.daemon for thread in lookups()), "the process ends without them"


def test_there_are_never_more_threads_and_what_waits_for_one_gets_it() -> None:
    before = set(lookups())

    async def go() -> list[bool]:
        with hanging() as hangs:
            asked = [asyncio.ensure_future(in_a_thread(number, hangs)) for number in range(200)]
            await asyncio.sleep(0)
            assert len(set(lookups()) - before) == MOST_THREADS
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.gather(*asked)

    assert asyncio.run(go()) == [True] * 200


def test_where_no_thread_can_be_had_that_is_an_error_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(OSError, match="no thread can be started"):
            asyncio.run(in_a_thread("nobody", lambda: 1))
    assert asyncio.run(in_a_thread("nobody", lambda: 1)) == 1
