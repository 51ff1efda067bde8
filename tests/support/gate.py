"""A step of a scripted server that waits for the test, where a pause of so many milliseconds would be a race."""

import asyncio
from dataclasses import dataclass, field

from probe.reference.faults.connection import Connection


@dataclass(frozen=True)
class Gate:
    """The script goes on once `opened` is set; the server must live on the test's own loop."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, connection: Connection) -> None:
        """Wait, but not past the connection's end."""
        opening = asyncio.ensure_future(self.opened.wait())
        leaving = asyncio.ensure_future(connection.pause(None))
        try:
            await asyncio.wait([opening, leaving], return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                leaving.result()
        finally:
            for waiting in (opening, leaving):
                waiting.cancel()
            await asyncio.wait([opening, leaving])
