"""How far is each measure from the truth? Compares a run with what the servers say that they wrote, and when. Pure.

The truth of a measure is the moment when the server wrote the frame that ends it, less the moment when the probe handed
over the request that begins it, on the same machine's monotonic clock. So the way of that frame through the kernel is
part of the error, and the way of the request is not. Reported beside the measures: how late the server read a request,
and how long after the LLM's last word, and the end of the speech before, the probe had handed the text on, which is as
much of the wait as a client's own. `tts_wait_ms`, which begins with an arrival, is too short by its lateness.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, pairwise
from statistics import median, quantiles
from typing import Any

from probe.clock import AnchoredClock
from probe.measures import measure_turn
from probe.record import RunRecord, Turn
from probe.timestamps import NS_PER_MS, NS_PER_S, milliseconds

# A write takes some 30 us.
UNCERTAIN_NS = NS_PER_MS
# Beyond this a run must not count as valid.
LIMIT_MS = 20.0
HANDED_ON = "text passed on to the TTS"
REQUEST = "request read by the server"
_ASIDE = (HANDED_ON, REQUEST)
# The silences are differences of two of these.
LATENCIES = (
    "llm_ttft_ms", "llm_gen_time_ms", "tts_ttfb_ms", "tts_gen_time_ms", "tts_stream_time_ms", "combined_ttfb_ms",
)  # fmt: skip
# What the servers of `probe.reference.truth` call what they read and wrote.
_STARTS = ("start_stream", "continue_stream", "ask")
_TOKENS = ("token", "reasoning", "last_token", "next_token")
_ENDS = ("paused", "done", "last_token")
_MARKERS = ("segment_complete", "end_of_speech")
STALL = "llm_longest_stall_ms"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as the server saw it: `at` is time.monotonic_ns(), and the write took `took` nanoseconds."""

    at: int
    direction: str
    what: str
    size: int
    took: int


@dataclass(slots=True)
class TrueChunk:
    """When things really happened to one chunk. `read` is None where it needed no request of its own."""

    read: int | None
    tokens: list[int] = field(default_factory=list)
    # The first token that is no reasoning.
    first_answer: int = 0
    done: int = 0
    marker: int = 0
    frames: list[tuple[int, int]] = field(default_factory=list)
    # The server was held up in the middle of a write: when the frame left is unknown.
    uncertain: bool = False


@dataclass(slots=True)
class Truth:
    """What a run's two servers wrote and read, in order."""

    llm: list[Frame] = field(default_factory=list)
    tts: list[Frame] = field(default_factory=list)

    def chunks(self) -> Iterator[TrueChunk]:
        """Put each chunk's frames together: a marker ends one on the TTS server, and on the LLM a request begins one.

        An answer that runs freely is one request. Its server has marked where it must be cut: at the last token of a
        chunk, or, where only what follows shows that one is complete, at the first token of the next.
        """
        spoken = self._written()
        chunk = next(spoken)
        for frame in self.tts:
            chunk.uncertain |= frame.took > UNCERTAIN_NS
            if frame.what == "audio":
                chunk.frames.append((frame.at, frame.size))
            elif frame.what in _MARKERS:
                chunk.marker = frame.at
                yield chunk
                chunk = next(spoken, chunk)

    def _written(self) -> Iterator[TrueChunk]:
        chunks: list[TrueChunk] = []
        for frame in self.llm:
            if chunks:
                chunks[-1].uncertain |= frame.took > UNCERTAIN_NS
            if frame.what == "next_token":
                chunks[-1].done = frame.at
            if frame.what in _STARTS:
                chunks.append(TrueChunk(frame.at))
            elif frame.what in _TOKENS and chunks[-1].done:
                chunks.append(TrueChunk(None, uncertain=frame.took > UNCERTAIN_NS))
            if frame.what in _TOKENS:
                chunks[-1].tokens.append(frame.at)
            if frame.what in _TOKENS and frame.what != "reasoning":
                chunks[-1].first_answer = chunks[-1].first_answer or frame.at
            if chunks and frame.what in _ENDS:
                chunks[-1].done = chunks[-1].done or frame.at
        yield from chunks


def by_trace(documents: Iterable[Mapping[str, Any]]) -> dict[str, Truth]:
    """Read what `probe.reference.truth` reports at its end: trace id -> truth."""
    truths: dict[str, Truth] = {}
    for document in documents:
        truth = truths.setdefault(str(document["trace_id"]), Truth())
        frames = truth.llm if document["server"] == "llm" else truth.tts
        frames += [Frame(*frame) for frame in document["frames"]]
    return truths


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of one measure's errors, in milliseconds: measured less true.

    99 in 100 are no farther from 0 than `p99`, to either side.
    """

    count: int
    p50: float
    p99: float
    largest: float


@dataclass(slots=True)
class Calibration:
    """What so many runs have shown."""

    errors: dict[str, list[float]] = field(default_factory=dict)
    valid: int = 0
    suspect: int = 0
    # Valid runs with an error that no valid run may have.
    untrue: int = 0
    # Chunks of valid runs that can't be compared, for the truth itself is not known.
    uncertain: int = 0
    # Errors of all latencies of suspect runs.
    doubted: list[float] = field(default_factory=list)
    limit_ms: float = LIMIT_MS

    def add(self, record: RunRecord, clock: AnchoredClock, truth: Truth) -> None:
        """Compare one complete run. The figures of one that is suspect are kept apart."""
        found = errors(record, clock, truth)
        if record.doubts:
            self.suspect += 1
            self.doubted += _latencies(found)
            return
        self.valid += 1
        self.uncertain += sum(chunk.uncertain for chunk in truth.chunks())
        self.untrue += largest(found) > self.limit_ms
        for name, each in found.items():
            self.errors.setdefault(name, []).extend(each)

    def spreads(self) -> dict[str, Spread]:
        """Each measure's errors, and what is stated beside them last."""
        names = sorted(self.errors, key=lambda name: name in _ASIDE)
        return {name: spread(self.errors[name]) for name in names}

    def bars(self) -> Spread | None:
        """The errors of all latencies together; None without a valid run."""
        every = _latencies(self.errors)
        return spread(every) if every else None


def errors(record: RunRecord, clock: AnchoredClock, truth: Truth) -> dict[str, list[float]]:
    """Each measure's errors in a complete run of one turn, in milliseconds, one for each chunk that has it."""
    (turn,) = record.turns
    chunks = list(truth.chunks())
    measured = measure_turn(turn)
    found: dict[str, list[float]] = {}
    true_of = _true_measures(turn, chunks, clock)
    # The silence before a chunk depends on the chunk before it.
    certain = [
        not (chunk.uncertain or before.uncertain) for before, chunk in zip(chunks[:1] + chunks, chunks, strict=False)
    ]
    for values, true in compress(zip(measured.chunks, true_of, strict=True), certain):
        for name, true_ms in true.items():
            value = getattr(values, name)
            if value is not None and true_ms is not None:
                found.setdefault(name, []).append(value - true_ms)
    if measured.llm_longest_stall_ms is not None and not any(each.uncertain for each in chunks):
        tokens = list(chain.from_iterable(each.tokens for each in chunks))
        longest = max(after - before for before, after in pairwise(tokens))
        found[STALL] = [measured.llm_longest_stall_ms - milliseconds(longest)]
    free = 0
    for chunk, each in zip(turn.chunks, chunks, strict=True):
        if chunk.tts_text_sent is not None:
            # Of an answer that runs freely, a text waits for the end of the speech before.
            handed_on = _monotonic(chunk.tts_text_sent, clock) - max(each.done, free)
            found.setdefault(HANDED_ON, []).append(milliseconds(handed_on))
        if each.read is not None:
            found.setdefault(REQUEST, []).append(milliseconds(each.read - _monotonic(chunk.began, clock)))
        free = each.marker
    return found


def largest(found: Mapping[str, Sequence[float]]) -> float:
    """The largest error of any measure; what is stated beside the measures is none."""
    return max((abs(error) for name, each in found.items() if name not in _ASIDE for error in each), default=0.0)


def spread(found: Sequence[float]) -> Spread:
    """Fold errors into their distribution; `largest` is the one farthest from 0."""
    distances = sorted(abs(error) for error in found)
    p99 = quantiles(distances, n=100, method="inclusive")[98] if len(found) > 1 else distances[0]
    return Spread(len(found), median(found), p99, max(found, key=abs))


def _latencies(found: Mapping[str, Sequence[float]]) -> list[float]:
    return [error for name in LATENCIES for error in found.get(name, ())]


def _true_measures(turn: Turn, chunks: Sequence[TrueChunk], clock: AnchoredClock) -> Iterator[dict[str, float | None]]:
    played_until: float | None = None
    # All that the probe took so far: without it, every frame would have been there so much earlier.
    held_up = 0
    # When the server had said the last that the next request waited for.
    spoken: int | None = None
    for chunk, true in zip(turn.chunks, chunks, strict=True):
        asked = _monotonic(chunk.began, clock)
        # An agent gets no text from us: its speech begins with its first words.
        by_agent = chunk.tts_text_sent is None
        sent = true.first_answer if chunk.tts_text_sent is None else _monotonic(chunk.tts_text_sent, clock)
        # The probe's own time, which is in none of the figures: handing the text on, and asking for the next chunk.
        handing_on = 0 if by_agent else sent - max(true.done, spoken or 0)
        asking = 0 if spoken is None or true.read is None else asked - spoken
        spoken = true.marker
        held_up += handing_on + asking
        frames = [(at - held_up, size) for at, size in true.frames]
        gap, dry, played_until = _silences(frames, chunk.sample_rate or 1, played_until)
        times = {
            "llm_ttft_ms": true.tokens[0] - asked,
            "llm_ttfat_ms": true.first_answer - asked,
            "llm_gen_time_ms": true.done - asked,
            "tts_wait_ms": sent - true.done,
            "tts_ttfb_ms": true.frames[0][0] - sent,
            "tts_gen_time_ms": true.marker - sent,
            "tts_stream_time_ms": true.frames[-1][0] - sent,
            "combined_ttfb_ms": true.frames[0][0] - asked - handing_on,
            "playout_gap_ms": None if gap is None else max(0.0, gap),
            "underrun_ms": dry,
        }
        yield {name: None if ns is None else milliseconds(ns) for name, ns in times.items()}


def _silences(
    frames: Sequence[tuple[int, int]], sample_rate: int, played_until: float | None
) -> tuple[float | None, float, float]:
    """What a listener would hear of frames that are played when they were written: gap before, dry within, end."""
    gap = None if played_until is None else frames[0][0] - played_until
    dry, end = 0.0, played_until or 0.0
    for number, (at, size) in enumerate(frames):
        if number and at > end:
            dry += at - end
        end = max(end, at) + size * NS_PER_S / (2 * sample_rate)
    return gap, dry, end


def _monotonic(at: int, clock: AnchoredClock) -> int:
    return at - clock.wall_ns + clock.monotonic_ns
