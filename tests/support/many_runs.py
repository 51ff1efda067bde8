"""A history of very many runs, made in seconds: a few records stand for all, and the columns say what differs."""

import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from runs import failed, record, skipped, suspect

from probe.drift.series import point
from probe.history.file import FILE_NAME, encode, encode_serving
from probe.history.writer import History
from probe.record import RunRecord

NS_PER_S = 1_000_000_000
_INSERT = (
    "INSERT INTO runs (run_id, started, target, scenario, outcome, unsent_spans, record, serving,"
    " response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms, cold, chars, tokens, asked, voice_to_voice_ms,"
    " endpointing_ms, transcription_ms) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# Shares of the runs: up to the one fails, up to the other is skipped or suspect.
_FAILED, _NO_ATTEMPT = 0.02, 0.03


def fill(state_dir: Path, *, runs: int, targets: Sequence[str], until: int, every_s: float = 60.0) -> None:
    """Write `runs` runs in all, one per target every so many seconds, the last ones at `until` (epoch nanoseconds).

    One in fifty fails, one in a hundred is skipped or suspect; the last one of each target is ok. Except for that one,
    records hold the first run of their kind: what is read from columns is right for each run.
    """
    _insert(state_dir, _rows(runs, targets, until, every_s))


def keep(state_dir: Path, records: Iterable[RunRecord]) -> None:
    """Write these runs, as a daemon does, but without a commit for each."""
    _insert(state_dir, map(_row, records))


def _insert(state_dir: Path, rows: Iterable[tuple[object, ...]]) -> None:
    with closing(History(state_dir)):
        pass
    with closing(sqlite3.connect(state_dir / FILE_NAME, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.executemany(_INSERT, rows)
        db.execute("COMMIT")


def _rows(runs: int, targets: Sequence[str], until: int, every_s: float) -> Iterator[tuple[object, ...]]:
    rng = random.Random(1)
    kinds = {name: _Kind.of(name) for name in targets}
    each_target = -(-runs // len(targets))
    for number in range(runs):
        turn, which = divmod(number, len(targets))
        target = targets[which]
        started = until - round((each_target - 1 - turn) * every_s * NS_PER_S) + which * NS_PER_S // 100
        yield (
            _row(record(number, started=started, target=target)) if turn == each_target - 1
            else kinds[target].row(number + 1, started, target, rng)
        )  # fmt: skip


def _row(made: RunRecord) -> tuple[object, ...]:
    each = point(made)
    return (
        each.run_id, each.started, made.plan.target.name, made.plan.scenario.name, each.outcome, encode(made),
        encode_serving(each.serving), *each.stages_ms, each.cold, each.chars, each.tokens,
        each.asked, *each.hearing_ms,
    )  # fmt: skip


class _Kind:
    """The rows of one target's runs."""

    def __init__(self, made: Sequence[RunRecord]) -> None:
        self._made = [(encode(each), point(each)) for each in made]
        self._serving = encode_serving(self._made[0][1].serving)

    @classmethod
    def of(cls, target: str) -> "_Kind":
        return cls([record(target=target), failed(target=target), skipped(), suspect()])

    def row(self, number: int, started: int, target: str, rng: random.Random) -> tuple[object, ...]:
        drawn = rng.random()
        which = 1 if drawn < _FAILED else 2 + number % 2 if drawn < _NO_ATTEMPT else 0
        blob, made = self._made[which]
        factor = rng.lognormvariate(0, 0.1)
        stages = [None if ms is None else ms * factor for ms in made.stages_ms]
        return (
            f"{number:016x}", started, target, "default", made.outcome, blob, self._serving, *stages, made.cold,
            made.chars, made.tokens, made.asked, *made.hearing_ms,
        )  # fmt: skip
