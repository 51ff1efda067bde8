"""What makes a turn doubtful: its audio (bytes, arrival times, the server's figures), its text, its order. Pure."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from probe.audio import duration_ns, same_duration
from probe.engine import speech
from probe.heard import Heard
from probe.protocols.segments import Segment
from probe.record import Chunk, Turn
from probe.timestamps import milliseconds
from probe.transport.share import Slices

# How the files of audio begin that a server may hand over as if they were samples, and what a WAV file's samples are
# followed by: its titles. No sound has such bytes by chance.
_HEADERS = (b"WAVEfmt ", b"WAVEds64", b"WAVEJUNK", b"WAVEbext", b"WAVELIST", b"AIFFCOMM", b"AIFCFVER")
_BEGINNINGS = (b"RIFF", b"RF64", b"FORM")
_TRAILERS = (b"INFOI", b"ID3\x03\x00", b"ID3\x04\x00", b"APETAGEX")
# So much is looked at for a header, and for a trailer: a look takes a millisecond.
_LOOKED_AT, _END = 1 << 20, 64 << 10
# What only a machine should read, by what it is.
_MARKUP = {
    "the model's thinking": ("<think", "</think", "<thought", "</thought", "<reasoning", "[think]", "[/think]",
                             "◁think", "◁/think"),
    "chat markup": ("<|", "|>", "<start_of_turn>", "<end_of_turn>", "[inst]", "[/inst]", "<<sys>>", "<s>", "</s>",
                    "<bos>", "<eos>", "<pad>", "<unk>"),
    "a tool call": ("<tool_call", "</tool_call", "<function", "</function", "[tool_calls]", '{"name":', '{"name" :',
                    '{"function":', '"arguments":', '"parameters":', "<tool_response"),
    "markdown": ("**", "```", "__", "](http", "|---", "| ---", "|:--"),
}  # fmt: skip
# Markdown at the beginning of a line.
_OF_A_LINE = ("# ", "## ", "### ", "#### ", "* ", "> ")


def of_audio(heard: speech.Heard) -> Slices[list[str]]:
    """Look at a turn's audio that is over, or has failed; returns a sentence for each doubt, none of them twice."""
    segments = heard.all
    formats = yield from _of_formats(segments)
    texts = yield from _of_texts(segments)
    return list(dict.fromkeys([*heard.doubts(), *_of_durations(segments), *formats, *texts]))


def of_order(turn: Turn) -> Iterator[str]:
    """An effect comes after its cause. If the timestamps contradict that, one of them is wrong."""
    if turn.heard is not None and _contradict(turn.heard, turn.chunks[0] if turn.chunks else None):
        yield "the timestamps of its speech are out of order"
    for chunk in turn.chunks:
        asked, sent = chunk.inference_start, chunk.tts_text_sent
        # A text that is passed on as it comes is spoken before it is complete.
        complete = () if chunk.text_streamed else (chunk.llm_done,)
        written = (asked, chunk.llm_first_token, chunk.llm_first_answer_token, *complete)
        spoken = (sent, chunk.tts_first_audio, chunk.tts_last_audio)
        # An agent speaks while it writes, and may show the text of what has been heard.
        orders = ((*written, *spoken),) if sent is not None else (written, (asked, *spoken))
        known = [[at for at in order if at is not None] for order in orders]
        if any(before > after for order in known for before, after in pairwise(order)):
            yield f"chunk {chunk.chunk_num}: its timestamps are out of order"


def _contradict(heard: Heard, chunk: Chunk | None) -> bool:
    asked = None if chunk is None else chunk.inference_start
    spoken, understood = (heard.speech_start, heard.speech_end, heard.speech_stopped), heard.transcript_done
    # An agent answers what it heard, and may say only later what that was.
    by_agent = chunk is not None and chunk.tts_text_sent is None and bool(chunk.frames)
    orders = ((*spoken, asked), (*spoken, understood)) if by_agent else ((*spoken, understood, asked),)
    known = [[at for at in order if at is not None] for order in orders]
    # Speech that was found to end before it does is a failure of its own.
    return heard.speech_end is not None and any(before > after for order in known for before, after in pairwise(order))


def _of_durations(segments: Sequence[Segment]) -> Iterator[str]:
    """Bytes that last longer or shorter than the server says are not the samples that we take them for."""
    so_far_ms = 0.0
    for segment in segments:
        own_ms = milliseconds(duration_ns(len(segment.pcm), segment.sample_rate))
        so_far_ms += own_ms
        # Servers may say how long a segment lasts, or the stream so far.
        if (
            segment.stated_ms
            and segment.frames
            and not any(same_duration(segment.stated_ms, ms) for ms in (own_ms, so_far_ms))
        ):
            yield (
                f"chunk {segment.chunk_num}: the server says that its audio lasts {segment.stated_ms:.6g} ms, and its "
                f"bytes last {own_ms:.0f} ms at the target's sample_rate"
            )


def _of_formats(segments: Sequence[Segment]) -> Slices[list[str]]:
    found = []
    for segment in segments:
        # Without a copy of what may be minutes of it.
        pcm, end = segment.pcm, min(len(segment.pcm), _LOOKED_AT)
        if pcm.startswith(_BEGINNINGS):
            kind = pcm[:4].decode("ascii").replace("RIFF", "WAV")
            found.append(f"chunk {segment.chunk_num}: its audio begins with a {kind} header, which is no sound")
        elif (yield from _is_in(pcm, _HEADERS, 0, end)):
            found.append(
                f"chunk {segment.chunk_num}: the header of another file stands in its audio, which is no sound"
            )
        if (yield from _is_in(pcm, _TRAILERS, max(0, len(pcm) - _END), len(pcm))):
            found.append(f"chunk {segment.chunk_num}: its audio ends with a file's titles, which are no sound")
    return found


def _is_in(pcm: bytearray, any_of: Sequence[bytes], start: int, end: int) -> Slices[bool]:
    for each in any_of:
        yield
        if pcm.find(each, start, end) >= 0:
            return True
    return False


def _of_texts(segments: Sequence[Segment]) -> Slices[list[str]]:
    """What is spoken is for people."""
    found = []
    for segment in segments:
        yield
        found += [
            f"chunk {segment.chunk_num}: its text has {kind} in it, which a person would hear"
            for kind in dict.fromkeys(spoken_markup(segment.text))
        ]
    return found


def spoken_markup(text: str) -> Iterator[str]:
    """The parts of a text that no person should hear."""
    lowered = text.lower()
    yield from (kind for kind, signs in _MARKUP.items() if any(sign in lowered for sign in signs))
    if any(line.lstrip().startswith(_OF_A_LINE) for line in text.splitlines()):
        yield "markdown"
