"""The LLM's half of a chunk."""

from msgspec import Struct, field

from probe.protocols.base import ChunkEnd
from probe.record import Chunk


class LlmChunk(Struct):
    """The LLM's half of a chunk while it grows. `inference_start` is None where it needed no request of its own."""

    chunk_num: int
    inference_start: int | None
    tokens: list[str] = field(default_factory=list)
    # The end of its text by which the next token may show that a sentence has ended.
    undecided: str = ""
    token_count: int = 0
    # Characters so far.
    size: int = 0
    first_token: int | None = None
    first_answer_token: int | None = None
    last_token: int | None = None
    longest_stall: int | None = None
    done_at: int | None = None
    # How many of its tokens are on their way to be spoken, though more may come.
    handed: int = 0
    end: ChunkEnd | None = None

    @property
    def text(self) -> str:
        """This chunk's text; the tokens joined where the server did not repeat it."""
        stated = None if self.end is None else self.end.text
        return "".join(self.tokens) if stated is None else stated

    def fresh(self) -> str:
        """What has come of its text since this was asked last, and is passed on by itself."""
        handed, self.handed = self.handed, max(len(self.tokens), self.end is not None)
        # Of a server that sends no tokens the text comes at its end.
        return "".join(self.tokens[handed:]) if self.tokens or handed or self.end is None else self.text

    def chunk(self) -> Chunk:
        end = self.end
        reported = end.tokens if end is not None and end.tokens is not None else 0
        return Chunk(
            chunk_num=self.chunk_num,
            inference_start=self.inference_start,
            text=self.text,
            token_count=self.token_count or reported,
            stop_reason=None if end is None else end.reason,
            final=end is not None and end.final,
            server_ttft_ms=None if end is None else end.server_ttft_ms,
            llm_first_token=self.first_token,
            llm_first_answer_token=self.first_answer_token,
            llm_last_token=self.last_token,
            llm_longest_stall=self.longest_stall,
            llm_done=self.done_at,
        )
