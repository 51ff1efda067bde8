"""The whole waits of targets that hear, of an hour and of a week: no column has them, so each record is read, once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from time import monotonic

from probe.history.file import UnreadableRunError, decode
from probe.history.reader import HistoryReader
from probe.measures import TRUSTED, TurnMeasures, measure_run, outcome
from probe.recent import Recent, WholeWait
from probe.timestamps import NS_PER_DAY, NS_PER_S

# As the recording rules: a mean is of so many turns at least.
ENOUGH = 5
_HOUR = 3600 * NS_PER_S
# The week is one without the last day. Of a week so many runs are read, or up to twice as many; of an hour all.
_WEEK_BEGINS, _WEEK_ENDS = 8 * NS_PER_DAY, NS_PER_DAY
_SAMPLED = 100
_MOST_OF_AN_HOUR = 120
_STARTED = (
    "SELECT seq FROM runs WHERE target = ? AND scenario = ? AND started >= ? AND started < ? ORDER BY seq DESC LIMIT ?"
)
# All runs of a week, at one every ten seconds.
_MOST = 60_480
# Spreads neighbouring numbers: those of a series may all be even.
_GOLDEN, _BITS = 0x9E3779B1, 32

Series = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a person waited for in one turn, in milliseconds."""

    whole_ms: float
    endpointing_ms: float | None
    transcription_ms: float | None


class WholeWaits:
    """For one process, and one thread at a time. A run is read once; one that can't be read has none."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._read: dict[int, Sequence[_Turn]] = {}
        self.known: dict[Series, WholeWait] = {}

    def refresh(self, reader: HistoryReader, series: Iterable[Recent], now: int, at_most_s: float) -> bool:
        """Read what is new of the series that hear, for so long; the rest follows next time. Raises HistoryError.

        `known` has a series once all of it is read. Returns whether that is so of each.
        """
        until = self._clock() + at_most_s
        before, self._read, known = self._read, {}, {}
        for each in filter(_hears, series):
            name = each.target, each.scenario
            hour = _numbers(reader, name, now - _HOUR, now, _MOST_OF_AN_HOUR)
            week = _sampled(_numbers(reader, name, now - _WEEK_BEGINS, now - _WEEK_ENDS, _MOST))
            for seq in (*hour, *week):
                if seq in before:
                    self._read[seq] = before[seq]
                elif self._clock() < until:
                    self._read[seq] = tuple(_turns(reader, seq))
            if all(seq in self._read for seq in (*hour, *week)):
                known[name] = self._whole(hour, week)
            elif name in self.known:
                known[name] = self.known[name]
        done = all((each.target, each.scenario) in known for each in filter(_hears, series))
        self.known = known
        return done

    def _whole(self, hour: Iterable[int], week: Iterable[int]) -> WholeWait:
        lately, before = ([turn for seq in part for turn in self._read[seq]] for part in (hour, week))
        return WholeWait(
            _mean([each.whole_ms for each in lately]),
            _mean([each.whole_ms for each in before]),
            _mean([each.endpointing_ms for each in lately], 1),
            _mean([each.transcription_ms for each in lately], 1),
        )


def _hears(recent: Recent) -> bool:
    return recent.last is not None and any(turn.heard is not None for turn in recent.last.turns)


def _mean(values: Iterable[float | None], least: int = ENOUGH) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) >= least else None


def _numbers(reader: HistoryReader, series: Series, since: int, until: int, most: int) -> list[int]:
    rows = reader.ask(lambda db, _: db.execute(_STARTED, (*series, since, until, most)).fetchall(), lambda *_: [])
    return [seq for (seq,) in rows]


def _sampled(numbers: Sequence[int]) -> list[int]:
    """The same of them from look to look, however the week moves on."""
    bits = max(0, (len(numbers) // _SAMPLED).bit_length() - 1)
    return [each for each in numbers if (each * _GOLDEN % 2**_BITS) >> (_BITS - bits) == 0]


def _turns(reader: HistoryReader, seq: int) -> Iterator[_Turn]:
    query = "SELECT run_id, record FROM runs WHERE seq = ?"
    for run_id, blob in reader.ask(lambda db, _: db.execute(query, (seq,)).fetchall(), lambda *_: []):
        try:
            record = decode(blob, run_id)
        except UnreadableRunError:
            return
        if outcome(record) in TRUSTED and not record.cold:
            yield from filter(None, map(_turn, measure_run(record)))


def _turn(measured: TurnMeasures) -> _Turn | None:
    whole = measured.voice_to_voice_ms
    return None if whole is None else _Turn(whole, measured.endpointing_ms, measured.transcription_ms)
