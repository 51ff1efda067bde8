"""The probe's own delays in a turn: known exactly, from the record, so that they are in no latency of a server.

Two kinds. What the probe was slow to do: from the arrival of what triggers a request to the write of that request. And
what it chose: to wait for more audio until a gap shows that a segment is over, or for a text that the server may keep.
Nanoseconds; never negative.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from operator import add

from probe.record import Chunk

# Ends of a segment that the server itself shows; any other is known only after a wait that the probe chose.
_SHOWN = ("marker", "end", "done")


def spoken_at(chunk: Chunk) -> int | None:
    """When the TTS server was done with a chunk's text, as far as that is known without waiting; None without a text.

    Late audio came after we had taken the segment for finished, and nobody waited for it.
    """
    if chunk.segment_end in _SHOWN:
        return chunk.tts_segment_done
    if chunk.segment_end == "gap" and chunk.tts_last_audio is not None and chunk.tts_segment_done is not None:
        return min(chunk.tts_last_audio, chunk.tts_segment_done)
    return chunk.tts_text_sent


def of_texts(chunks: Sequence[Chunk]) -> list[int]:
    """How long the text of each chunk waited for the probe alone: it was complete, and the TTS server free."""
    waited, spoken = [], list[int]()
    for chunk in chunks:
        waited.append(_of_text(spoken, chunk))
        if (at := spoken_at(chunk)) is not None:
            insort(spoken, at)
    return waited


def _of_text(spoken: Sequence[int], chunk: Chunk) -> int:
    """Of one, with when the TTS server was done with each text before it, in the order of time."""
    if chunk.tts_text_sent is None:
        return 0
    if chunk.text_streamed:
        # Of its first piece, which is all that a first sound may have needed.
        return max(0, chunk.tts_text_sent - (chunk.llm_first_answer_token or chunk.tts_text_sent))
    if chunk.llm_done is None:
        return 0
    # The last audio that had come by then: a model may make hundreds of chunks, so each is not compared with all.
    come = bisect_right(spoken, chunk.tts_text_sent)
    return _since(chunk.llm_done, spoken[come - 1 : come], chunk.tts_text_sent)


def of_request(before: Chunk, chunk: Chunk) -> int:
    """How long the request for a chunk waited for the probe alone; 0 where there was none."""
    if chunk.inference_start is None or before.llm_done is None:
        return 0
    return _since(before.llm_done, [spoken_at(before)], chunk.inference_start)


def before_each_audio(chunks: Sequence[Chunk]) -> list[int]:
    """All that the probe took between the request for the first chunk and the first audio of each."""
    texts = of_texts(chunks)
    requests = (0, *(of_request(before, chunk) for before, chunk in pairwise(chunks)))
    # One sum for all: a model may make hundreds of chunks, one for each line of a list.
    return list(accumulate(map(add, texts, requests)))


def before_audio(chunks: Sequence[Chunk]) -> int:
    """The same of the last of these chunks alone."""
    return before_each_audio(chunks)[-1] if chunks else 0


def slowness(chunks: Sequence[Chunk]) -> Iterator[int]:
    """Of that, what the probe did not choose, before the first audio and then before each further one; in order.

    It should have been nothing.
    """
    waited = 0
    for n, (chunk, of_text) in enumerate(zip(chunks, of_texts(chunks), strict=True)):
        waited += of_text
        if n and chunks[n - 1].segment_end in _SHOWN:
            waited += of_request(chunks[n - 1], chunk)
        if chunk.tts_first_audio is not None:
            yield waited
            waited = 0


def _since(text_done: int, spoken: Iterable[int | None], written: int) -> int:
    """From the last of what was waited for to the write: the text, and the audio before it where that had come."""
    return max(0, written - max([text_done, *(at for at in spoken if at is not None and at <= written)]))
