"""The limit for the length of an answer."""

from msgspec.structs import replace

from probe.plan import Scenario
from probe.protocols.base import ChunkEnd

# An answer that comes to no end of a chunk is cut off at so many times the tokens that it may have.
OVERRUN = 2
# Why an answer ended that was longer.
REASON = "limit"


def ended(end: ChunkEnd) -> ChunkEnd:
    """An answer that was ended because there was enough of it."""
    return replace(end, final=True, reason=REASON)


class AnswerLimit:
    """Counts the spoken tokens, and decides when the limit is reached."""

    def __init__(self, scenario: Scenario) -> None:
        self.tokens = 0
        self._most_tokens = scenario.max_answer_tokens
        self._most_chunks = scenario.max_chunks

    def reached(self, chunk_num: int) -> bool:
        """Whether the answer ends with this chunk."""
        return self._has(1) or (self._most_chunks is not None and chunk_num >= self._most_chunks)

    def overrun(self) -> bool:
        """Whether it ends at once, in the middle of a chunk."""
        return self._has(OVERRUN)

    def _has(self, times: int) -> bool:
        return self._most_tokens is not None and self.tokens >= times * self._most_tokens
