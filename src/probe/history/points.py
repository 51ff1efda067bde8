"""The points of a series from the columns of their rows; what an earlier version had no column for, from the record."""

from collections.abc import Callable, Mapping
from typing import Any

from probe.drift.series import Point, of_hearing_ms, point
from probe.history.file import UnreadableRunError, decode_serving
from probe.measures import STAGES
from probe.record import RunRecord
from probe.waits import Asked, asked

# Each with the version of the schema since which it is there.
_SINCE: Mapping[str, int] = {
    "serving": 2, "cold": 3, "chars": 4, "tokens": 4, "asked": 5,
    "response_ttfb_ms": 2, "llm_ttft_ms": 2, "llm_decode_ms": 2, "tts_ttfb_ms": 2,
    "voice_to_voice_ms": 5, "endpointing_ms": 5, "transcription_ms": 5,
}  # fmt: skip
_STAGES = len(STAGES)


def columns(version: int) -> str:
    """What `of_row` is made of, in a file of this version of the schema."""
    of_old = (name if version >= since else "NULL" for name, since in _SINCE.items())
    return f"seq, run_id, started, outcome, {', '.join(of_old)}"


class Points:
    """Makes points of rows. `record` reads the run of a row, by its number and id, and raises UnreadableRunError."""

    def __init__(self, record: Callable[[int, str], RunRecord]) -> None:
        self._record = record
        # By the models and settings, of which this is one: so that one record is read for all rows that have them.
        self._asked: dict[str, Asked] = {}

    def of_row(self, row: tuple[Any, ...]) -> Point:
        """The point of a row of `columns`. Raises UnreadableRunError."""
        seq, run_id, started, outcome, serving, cold, chars, tokens, how, *ms = row
        if serving is None:
            return point(self._record(seq, run_id))
        stages, hearing = tuple(ms[:_STAGES]), tuple(ms[_STAGES:])
        if how is None:
            how = self._asked_then(seq, run_id, serving)
            hearing = hearing if how == "text" else of_hearing_ms(self._record(seq, run_id))
        return Point(run_id, started, outcome, decode_serving(serving), stages, bool(cold), chars, tokens, how, hearing)

    def _asked_then(self, seq: int, run_id: str, serving: str) -> Asked:
        """How the target was asked; as most are, where the record can't be read."""
        if serving not in self._asked:
            try:
                self._asked[serving] = asked(self._record(seq, run_id).plan.target)
            except UnreadableRunError:
                return "text"
        return self._asked[serving]
