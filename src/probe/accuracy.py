"""How far is each measure from the truth? Compares a run with what the servers say that they wrote, and when. Pure.

The truth of a measure is the moment when the server wrote the frame that ends it, less the moment when the probe handed
over the request that begins it, on the same machine's monotonic clock. So the way of that frame through the kernel is
part of the error, and the way of the request is not. Reported beside the measures: how late the server read a request,
and how long after the LLM's last word the probe had handed the text on, which is as much of the wait as a client's own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from statistics import quantiles
from typing import Any

from probe.clock import AnchoredClock
from probe.measures import measure_turn
from probe.record import RunRecord, Turn
from probe.timestamps import NS_PER_MS, NS_PER_S, milliseconds

# A write takes some 30 us.
UNCERTAIN_NS = NS_PER_MS
# Beyond this a run must not count as valid.
LIMIT_MS = 20.0
HANDED_ON = "text handed on to the TTS"
REQUEST = "request read by the server"
_ASIDE = (HANDED_ON, REQUEST)
# The silences are differences of two of these.
LATENCIES = (
    "llm_ttft_ms", "llm_gen_time_ms", "tts_ttfb_ms", "tts_gen_time_ms", "tts_stream_time_ms", "combined_ttfb_ms",
)  # fmt: skip
_STARTS = ("start_stream", "continue_stream")


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
    """When things truly happened to one chunk."""

    read: int
    first_token: int = 0
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
        """Put each chunk's frames together: a request begins one on the LLM, a marker ends one on the TTS server."""
        chunks: list[TrueChunk] = []
        for frame in self.llm:
            if chunks:
                chunks[-1].uncertain |= frame.took > UNCERTAIN_NS
            if frame.what in _STARTS:
                chunks.append(TrueChunk(frame.at))
            elif chunks and frame.what == "token":
                chunks[-1].first_token = chunks[-1].first_token or frame.at
            elif chunks and frame.what in ("paused", "done"):
                chunks[-1].done = chunks[-1].done or frame.at
        spoken = iter(chunks)
        chunk = next(spoken)
        for frame in self.tts:
            chunk.uncertain |= frame.took > UNCERTAIN_NS
            if frame.what == "audio":
                chunk.frames.append((frame.at, frame.size))
            elif frame.what == "segment_complete":
                chunk.marker = frame.at
                yield chunk
                chunk = next(spoken, chunk)


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
    """The distribution of one measure's errors, in milliseconds: measured less true."""

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
    for chunk, each in zip(turn.chunks, chunks, strict=True):
        found.setdefault(HANDED_ON, []).append(milliseconds(_monotonic(chunk.tts_text_sent or 0, clock) - each.done))
        found.setdefault(REQUEST, []).append(milliseconds(each.read - _monotonic(chunk.began, clock)))
    return found


def largest(found: Mapping[str, Sequence[float]]) -> float:
    """The largest error of any measure; what is stated beside the measures is none."""
    return max((abs(error) for name, each in found.items() if name not in _ASIDE for error in each), default=0.0)


def spread(found: Sequence[float]) -> Spread:
    """Fold errors into their distribution; `largest` is the one farthest from 0."""
    cuts = quantiles(found, n=100, method="inclusive") if len(found) > 1 else [found[0]] * 99
    return Spread(len(found), cuts[49], cuts[98], max(found, key=abs))


def _latencies(found: Mapping[str, Sequence[float]]) -> list[float]:
    return [error for name in LATENCIES for error in found.get(name, ())]


def _true_measures(turn: Turn, chunks: Sequence[TrueChunk], clock: AnchoredClock) -> Iterator[dict[str, float | None]]:
    played_until: float | None = None
    # When the server had said the last that the next request waited for.
    spoken: int | None = None
    for chunk, true in zip(turn.chunks, chunks, strict=True):
        asked, sent = _monotonic(chunk.began, clock), _monotonic(chunk.tts_text_sent or 0, clock)
        # The probe's own time, which is in none of the figures: handing the text on, and asking for the next chunk.
        handing_on, asking = sent - true.done, 0 if spoken is None else asked - spoken
        spoken = true.marker
        gap, dry, played_until = _silences(true.frames, chunk.sample_rate or 1, played_until)
        times = {
            "llm_ttft_ms": true.first_token - asked,
            "llm_gen_time_ms": true.done - asked,
            "tts_ttfb_ms": true.frames[0][0] - sent,
            "tts_gen_time_ms": true.marker - sent,
            "tts_stream_time_ms": true.frames[-1][0] - sent,
            "combined_ttfb_ms": true.frames[0][0] - asked - handing_on,
            "playout_gap_ms": None if gap is None else max(0.0, gap - handing_on - asking),
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
