"""What the engine does with a very long segment, once it has come."""

import asyncio

from probe import audio
from probe.engine import judge
from probe.reference.faults.audio import RATE, tone


async def test_a_long_segment_holds_up_nobody() -> None:
    samples = tone(6000)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.ensure_future(tick())
    assert await judge._listen(bytearray(samples), RATE) == audio.listen(samples, RATE)
    ticking.cancel()
    assert ticks >= 6 * audio.BLOCKS_PER_S // 4
