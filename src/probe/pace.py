"""How long a target's speech lasts for its text, learnt from its own runs. Another rate or language stands out.

What a voice in general can do leaves room for samples that are read at twice their rate, or in two channels as one;
what this voice did in the last runs does not.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from statistics import median

from probe.drift.fingerprint import fingerprint
from probe.record import RunRecord
from probe.speechlike import letters

# So many runs are remembered of each series, and so many are wanted before one of them stands out. When more than half
# of them are of another pace, that is the usual one.
KEPT, WANTED = 30, 10
# Answers with few letters last as long as their pauses; digits and abbreviations make a text longer than it looks.
LEAST_LETTERS = 60
# Half the rate, or twice the channels, is a factor of two; the same voice on other texts stays within 1.3.
FACTOR = 1.6

# A target, a scenario, and their configuration: with another voice the pace is another.
_Series = tuple[str, str, str]


class Pace:
    """The usual pace of each series, in milliseconds of sound per letter."""

    def __init__(self) -> None:
        self._seen: dict[_Series, deque[float]] = {}

    def knows(self, record: RunRecord) -> bool:
        """Whether anything was learnt of the series of this run."""
        return _series(record) in self._seen

    def learn(self, series_of: RunRecord, past: Iterable[RunRecord]) -> None:
        """Learn from past runs, the oldest first, what is usual for runs such as this one."""
        seen = self._seen[_series(series_of)] = deque(maxlen=KEPT)
        seen.extend(pace for each in past if _series(each) == _series(series_of) and (pace := of_run(each)) is not None)

    def judge(self, record: RunRecord) -> RunRecord:
        """Return the record, with a doubt where its pace is far from the usual one; and remember it."""
        pace = of_run(record)
        if pace is None:
            return record
        seen = self._seen.setdefault(_series(record), deque(maxlen=KEPT))
        usual = median(seen) if len(seen) >= WANTED else None
        seen.append(pace)
        if usual is None or usual / FACTOR <= pace <= usual * FACTOR:
            return record
        doubt = f"its speech lasts {pace:.0f} ms per letter, and {usual:.0f} ms in the runs before"
        return replace(record, doubts=(*record.doubts, doubt))


def of_run(record: RunRecord) -> float | None:
    """Milliseconds of sound per letter of all that was spoken; None where that is too little, or the run has failed."""
    if record.failure is not None or record.skipped is not None:
        return None
    # The text of an agent's answer that we cancelled may be ahead of its sound.
    spoken = [each for turn in record.turns for each in turn.spoken() if each[0].tts_segment_done is not None]
    count = sum(letters(text) for _, text in spoken)
    sounding = sum(chunk.sound.loud_ms or 0.0 for chunk, _ in spoken if chunk.sound is not None)
    return sounding / count if count >= LEAST_LETTERS and sounding > 0 else None


def _series(record: RunRecord) -> _Series:
    plan = record.plan
    return plan.target.name, plan.scenario.name, fingerprint(record).config
