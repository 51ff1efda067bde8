"""Watches the runs of one target and scenario, one after the other, and finds when what they take has changed."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from probe.drift.baseline import hour_of
from probe.drift.bursts import Contention, far_off
from probe.drift.change import (
    Change,
    Direction,
    Drift,
    Moved,
    ServingChange,
    Shift,
    Verdict,
    leading,
    of_stage,
)  # fmt: skip
from probe.drift.cold import Cold
from probe.drift.episode import Episode, certain
from probe.drift.evidence import RING, SETTLE_AT, Evidence
from probe.drift.figures import CERTAIN, ENOUGH, SETTLED
from probe.drift.fingerprint import Fingerprint, filled
from probe.drift.habits import Habits
from probe.drift.levels import change_levels, moved_since
from probe.drift.onset import first_different
from probe.drift.present import compared
from probe.drift.series import Point
from probe.drift.texts import Texts
from probe.measures import TRUSTED
from probe.timestamps import epoch_seconds
from probe.waits import WAITS, WHOLES

# Evidence that announces a change; the logarithm of how unlikely it is by chance. `bench/drift.py` sets it.
THRESHOLD = 11.0
# A smaller change, as a share, is none.
LEAST_CHANGE = 0.03
# So many of the last changes are known.
_MOST_CHANGES = 1000
_NAMED_RUNS = 5


class Monitor:
    """Feed it with `add`, oldest run first. The same runs always make the same monitor."""

    def __init__(self, threshold: float = THRESHOLD, least_change: float = LEAST_CHANGE) -> None:
        self.changes: list[Change] = []
        self._threshold = threshold
        self._least = math.log1p(least_change)
        # Of the whole wait first, and of the stages that it consists of.
        self._evidence = {stage: Evidence(threshold) for stage in WAITS["text"]}
        # The last runs' ids and starts, the last of them `_number`'s. As objects they would take twice as much.
        self._ids: deque[str] = deque(maxlen=RING)
        self._starts: deque[int] = deque(maxlen=RING)
        self._number = 0
        self._serving: Fingerprint | None = None
        self._contention = Contention()
        self._texts = Texts()
        self._cold = Cold()
        # What is not over, and what has come and gone.
        self._episode: Episode | None = None
        self._habits = Habits()

    @property
    def settings(self) -> tuple[float, float]:
        """The threshold, and the least change as a logarithm."""
        return self._threshold, self._least

    @property
    def stages(self) -> tuple[str, ...]:
        """Those that are watched, the whole wait first: as of the last run."""
        return tuple(self._evidence)

    @property
    def _whole(self) -> Evidence:
        return self._evidence[self.stages[0]]

    def add(self, point: Point) -> Change | None:
        """Take a run; returns the change found with it. The figures of failed, skipped and suspect runs are ignored."""
        self._watch(WAITS[point.asked])
        found: Change | None = self._serve(point)
        cold = self._cold.is_cold(point) or found is not None
        if point.outcome in TRUSTED and cold:
            self._cold.take(point)
        elif point.outcome in TRUSTED:
            self._take(point)
            found = self._look(point) or self._adopt(point)
        if found is not None:
            self.changes = [*self.changes, found][-_MOST_CHANGES:]
        return found

    def verdict(self) -> Verdict:
        """How things stand after the last run."""
        whole = self._whole
        now = tuple(compared(self._evidence, self._episode)) if whole.noise else ()
        drift = None
        if self._episode is not None and not self._episode.usual_until:
            drift = self._drift(self._episode.first, now)
        return Verdict(
            state="learning" if not now else "stable" if drift is None else drift.direction,
            runs=whole.runs,
            drift=drift,
            now=now,
            cold_runs=self._cold.runs,
            cold_ms=self._cold.usual_ms(),
            changes=tuple(self.changes),
            grows=self._texts.lines(),
        )

    def _watch(self, stages: Sequence[str]) -> None:
        """Begin again where the target is asked in another way than before: its wait consists of other stages."""
        if self.stages != stages:
            known = self._evidence
            self._evidence = {each: known[each] if each in known else Evidence(self._threshold) for each in stages}
            self._cold.forget_latencies()
            self._begin_again()

    def _serve(self, point: Point) -> ServingChange | None:
        old, new = self._serving, filled(self._serving, point.serving)
        self._serving = new
        if old in (None, new) or filled(new, old) == new:
            return None
        before = tuple(self._ids)[-_NAMED_RUNS:]
        self._begin_again()
        self._ids.clear()
        self._starts.clear()
        self._texts.forget()
        return ServingChange(point.started, old, new, before, (point.run_id,))

    def _begin_again(self) -> None:
        """Nothing is known of what is taken, but the rhythm of the day."""
        for evidence in self._evidence.values():
            evidence.forget()
        self._episode = None
        self._contention = Contention()

    def _take(self, point: Point) -> None:
        self._number += 1
        self._ids.append(point.run_id)
        self._starts.append(point.started)
        at = epoch_seconds(point.started)
        stages, is_first_line = self._texts.usual(point)
        logs = [math.log(ms) if ms is not None and ms > 0 else None for ms in stages.values()]
        if is_first_line:
            # What was seen so far scattered with the texts: it is no baseline for what does not.
            self._begin_again()
        since = self._contention.counts_since(self._number, self._is_far(hour_of(at), logs))
        for evidence, value in zip(self._evidence.values(), logs, strict=True):
            if value is not None:
                evidence.add(self._number, at, value, since <= self._number)
            if since < self._number:
                evidence.count(since)

    def _is_far(self, hour: int, logs: Sequence[float | None]) -> bool:
        """Whether a run is as contention makes them.

        Where the target hears, the wait is more than what the servers of the answer take: there it is, too, if several
        stages are far off together.
        """
        away = (far_off(each, hour, value) for each, value in zip(self._evidence.values(), logs, strict=True))
        return next(away) != 0 or (self.stages != WAITS["text"] and abs(sum(away)) > 1)

    def _look(self, point: Point) -> Shift | None:
        """What the evidence, with this run, is strong enough for."""
        strengths = {stage: evidence.strongest() for stage, evidence in self._evidence.items()}
        stage = max(strengths, key=strengths.__getitem__)
        if self._contention.crowd is not None:
            stage, since = self.stages[0], self._contention.crowd
        elif strengths[stage] >= 1:
            since = first_different(self._evidence[stage])
        else:
            return None
        moved = list(moved_since(self._evidence, since))
        if abs(math.log(of_stage(stage, moved).ratio)) < self._least * self._evidence[stage].patience:
            # The level stays what it was: many such changes in a row are one that is large enough.
            for evidence in self._evidence.values():
                evidence.clear()
            return None
        before = {each: evidence.baseline.level for each, evidence in self._evidence.items() if evidence.noise}
        shift = self._shift(stage, since, point, moved)
        if self._episode is not None:
            self._episode.is_one_move = False
            self._episode.see({each: level for each, level in before.items() if each not in WHOLES})
        change_levels(self._evidence, since, stage)
        return shift if self._tell(shift, stage, before) else None

    def _shift(self, alarmed: str, since: int, point: Point, moved: Sequence[Moved]) -> Shift:
        direction: Direction = "slower" if of_stage(alarmed, moved).added_ms > 0 else "faster"
        # Where the run of that number is, among the last.
        at = len(self._ids) - (self._number - since) - 1
        ids = list(self._ids)
        return Shift(
            since=self._starts[at],
            found=point.started,
            direction=direction,
            stage=leading(moved, direction, alarmed),
            moved=tuple(moved),
            confidence=self._confidence(alarmed, of_stage(alarmed, moved), len(ids) - at),
            before=tuple(ids[max(0, at - _NAMED_RUNS) : at]),
            after=tuple(ids[at : at + _NAMED_RUNS]),
        )

    def _confidence(self, stage: str, moved: Moved, runs: int) -> float:
        """The probability that chance alone makes a smaller difference."""
        noise = self._evidence[stage].noise
        return math.erf(abs(math.log(moved.ratio)) / noise.error(runs) / math.sqrt(2)) if noise and runs else 0.0

    def _tell(self, shift: Shift, stage: str, before: dict[str, float]) -> bool:
        """Whether a change is news: it is not where one that is known only goes again, all of it or a part."""
        episode, level = self._episode, self._evidence[stage].baseline.level
        if episode is None:
            episode = self._episode = Episode(shift, before)
        elif self._is_back(episode):
            self._went(shift.since)
            return False
        elif not episode.is_new(
            stage, shift.direction, level, self._unsure(self._evidence[stage], self._evidence[stage].since_change)
        ):
            return False
        elif episode.is_of_it(shift, self._starts):
            # It is the same change, of which more is seen now.
            episode.is_one_move = True
            self._note(episode, stage, shift)
            return False
        elif episode.turned(stage, shift.direction):
            self._went(shift.since)
            episode = self._episode = Episode(shift, episode.before)
        elif not episode.usual_until:
            self._note(episode, stage, shift)
            return True
        usual = self._usual_ns(episode, shift.since, self._evidence[stage].since_change)
        episode.usual_until = usual and episode.first.since + usual
        self._note(episode, stage, shift)
        return not episode.usual_until

    def _usual_ns(self, episode: Episode, since: int, runs: int) -> int:
        """For how long the change, as it is by now, is nothing new."""
        known = {stage: each for stage, each in self._evidence.items() if each.noise and stage not in WHOLES}
        moves = episode.see({stage: evidence.lately(runs) for stage, evidence in known.items()})
        unsure = {stage: self._unsure(evidence, runs) for stage, evidence in known.items()}
        return self._habits.usual_ns(since, runs, moves, unsure)

    def _unsure(self, evidence: Evidence, runs: int) -> float:
        """What a stage must have moved by for it to be certain after so many runs; what matters, at least."""
        runs = max(1, min(SETTLED, runs))
        return max(self._least, CERTAIN * evidence.noise.error(runs) if evidence.noise else 0.0)

    def _note(self, episode: Episode, stage: str, shift: Shift) -> None:
        stages = {stage, *certain(shift.moved, shift.direction)}
        episode.tell(shift.found, shift.direction, {each: self._evidence[each].baseline.level for each in stages})

    def _is_back(self, episode: Episode) -> bool:
        levels = {
            stage: (evidence.baseline.level, self._unsure(evidence, evidence.since_change))
            for stage, evidence in self._evidence.items()
            if evidence.noise
        }
        return episode.is_back(levels, self._least)

    def _adopt(self, point: Point) -> Shift | None:
        """What has held for a week is the new normal, and what has gone again, by little and little, is the old.

        What is usual for a while is news after that.
        """
        episode = self._episode
        if episode is None:
            return None
        if episode.is_adopted(point.started):
            self._episode = None
        elif self._whole.since_change >= SETTLED and self._is_back(episode):
            self._went(point.started)
        elif episode.usual_until and self._is_news(episode, point.started):
            episode.usual_until = 0
            episode.first = replace(episode.first, found=point.started)
            return episode.first
        return None

    def _is_news(self, episode: Episode, at: int) -> bool:
        """Whether what seemed to be usual lasts longer than that, or is another thing, as more runs show."""
        runs = self._whole.since_change
        if runs in SETTLE_AT and episode.is_one_move and not self._is_back(episode):
            usual = self._usual_ns(episode, episode.first.since, runs)
            episode.usual_until = usual and episode.first.since + usual
        return episode.usual_until < at

    def _went(self, at: int) -> None:
        """The change that is known, and with it all that came after, is over."""
        episode = self._episode
        if episode is not None:
            self._habits.add(episode.first.since, at, episode.moves)
            self.changes = [replace(each, until=at) if each == episode.first else each for each in self.changes]
        self._episode = None

    def _drift(self, first: Shift, now: Sequence[Moved]) -> Drift:
        direction = first.direction
        stage = leading(now, direction, first.stage)
        confidence = self._confidence(stage, of_stage(stage, now), min(ENOUGH, self._evidence[stage].since_change or 1))
        return Drift(first.since, first.found, direction, stage, max(confidence, first.confidence))
