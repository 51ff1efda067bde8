"""Where it goes how well an answer was understood: to the history with the transcript, elsewhere as a figure alone."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from probe.daemon.keeper import HISTORY
from probe.daemon.sink_lock import one_at_a_time
from probe.record import RunRecord
from probe.transcription import Transcription
from probe.transport.threads import in_a_thread

# A disk may hang.
PATIENCE_S = 5.0

# The name under which errors are counted, and what takes a result.
Taker = tuple[str, Callable[[RunRecord, Transcription], None]]


class AnswerSinks:
    """Takes one result at a time, in a thread; never raises. While a disk hangs no other thread is left at it.

    `keep` adds a result to a run in the history, and says whether there is such a run. `on_error(sink, what)` is called
    where that, or one of the others, goes wrong.
    """

    def __init__(
        self,
        keep: Callable[[str, Transcription], bool],
        others: Sequence[Taker],
        on_error: Callable[[str, str], None],
    ) -> None:
        self._keep = keep
        self._others = others
        self._on_error = on_error
        self._going: asyncio.Future[None] | None = None

    async def take(self, record: RunRecord, found: Transcription) -> None:
        """Returns when all have it, or when one takes too long: then they get it later."""
        run_id = record.plan.run_id
        if self._going is not None and not self._going.done():
            # The threads are few, and name lookups need them.
            self._on_error(HISTORY, f"the transcript of run {run_id} is lost: the one before it is not written yet")
            return
        self._going = asyncio.ensure_future(
            in_a_thread((run_id, "transcription"), partial(self._pass_on, record, found))
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(self._going)
        except (TimeoutError, OSError) as error:
            self._on_error(HISTORY, f"the transcript of run {run_id} is late or lost: {type(error).__name__}")

    def _pass_on(self, record: RunRecord, found: Transcription) -> None:
        with one_at_a_time():
            for name, take in ((HISTORY, self._kept), *self._others):
                try:
                    take(record, found)
                except Exception as error:  # noqa: BLE001 - whatever one of them does, the others get it
                    run_id = record.plan.run_id
                    self._on_error(name, f"the transcript of run {run_id} is lost: {type(error).__name__}: {error}")

    def _kept(self, record: RunRecord, found: Transcription) -> None:
        if not self._keep(record.plan.run_id, found):
            run_id = record.plan.run_id
            self._on_error(HISTORY, f"the transcript of run {run_id} is lost: the history does not have that run")
