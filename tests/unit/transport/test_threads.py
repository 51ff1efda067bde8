"""Work that nobody has to wait for."""

import asyncio
import threading
from functools import partial

import pytest

from probe.transport.threads import in_own_thread


def test_what_it_returns_and_what_it_raises() -> None:
    assert asyncio.run(in_own_thread(partial(divmod, 7, 2))) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_own_thread(partial(divmod, 7, 0)))


def test_work_that_hangs_holds_up_neither_other_work_nor_the_end() -> None:
    """Far more of it than the loop has threads; and what comes of it when all is over disturbs nobody."""
    over = threading.Event()
    before = set(threading.enumerate())

    async def go() -> int:
        hanging = [asyncio.ensure_future(in_own_thread(over.wait)) for _ in range(50)]
        try:
            return await in_own_thread(lambda: 1)
        finally:
            for each in hanging:
                each.cancel()

    # Held up, it would not end at all.
    assert asyncio.run(go()) == 1
    left = set(threading.enumerate()) - before
    assert len(left) == 50
    assert all(thread.daemon for thread in left), "the process ends without them"
    over.set()
    for thread in left:
        thread.join(60)
