"""A change from the run that it began with until it is over: each change is reported once."""

from collections.abc import Iterable, Mapping

from probe.drift.change import DIRECTIONS, Direction, Moved, Shift
from probe.drift.figures import ALIKE, ENOUGH
from probe.timestamps import NS_PER_DAY

# A level that has held for so long is the new normal.
_ADOPTED_AFTER_NS = 7 * NS_PER_DAY


class Episode:
    """`before` is the level of each stage (a logarithm) before the change `first`."""

    def __init__(self, first: Shift, before: Mapping[str, float]) -> None:
        self.first = first
        # Until when it is nothing new.
        self.usual_until = 0
        # Whether nothing has moved since it was found.
        self.is_one_move = True
        # The farthest from there that each stage has come, known or not.
        self.moves: dict[str, float] = {}
        self.before = dict(before)
        # The farthest from there that each stage is known to have come, either way, and when that was found.
        self._told: dict[str, list[float]] = {}
        self._told_at = first.found

    @property
    def stages(self) -> Iterable[str]:
        """Those that are known to have moved."""
        return self._told.keys()

    def see(self, levels: Mapping[str, float]) -> Mapping[str, float]:
        """What stages take now; returns how far that is from where they were."""
        now = {stage: level - self.before.get(stage, level) for stage, level in levels.items()}
        self.moves |= {stage: by for stage, by in now.items() if abs(by) > abs(self.moves.get(stage, 0.0))}
        return now

    def tell(self, at: int, direction: Direction, levels: Mapping[str, float]) -> None:
        """These stages have moved to these levels, that way; found `at`."""
        self._told_at = at
        side = DIRECTIONS.index(direction)
        for stage, level in levels.items():
            known = self._told.setdefault(stage, [0.0, 0.0])
            known[side] = max(known[side], self.away(stage, direction, level))

    def is_new(self, stage: str, direction: Direction, level: float, least: float) -> bool:
        """Whether a stage's move that way is more than is known: the way back is none, nor what was there before.

        What is faster, and then faster still, is one change: nobody waits for it.
        """
        if direction == self.first.direction == DIRECTIONS[1]:
            return False
        known = self._told.get(stage, [0.0, 0.0])[DIRECTIONS.index(direction)]
        return self.away(stage, direction, level) >= known + least

    def is_back(self, levels: Mapping[str, tuple[float, float]], least: float) -> bool:
        """Whether all is as it was; `levels` are what stages take now, and what that is unsure by."""
        for stage, (level, unsure) in levels.items():
            known = max(self._told.get(stage, [0.0, 0.0]))
            least_left = max(least, unsure)
            if abs(level - self.before.get(stage, level)) > (min(ALIKE * known, least_left) if known else least_left):
                return False
        return True

    def is_of_it(self, shift: Shift, starts: Iterable[int]) -> bool:
        """Whether a shift goes the same way as the change, and began with it: within what may be enough to see it."""
        between = sum(self.first.since <= each < shift.since for each in starts)
        return shift.direction == self.first.direction and between < ENOUGH

    def turned(self, stage: str, direction: Direction) -> bool:
        """Whether a stage that moves that way now had moved the other way."""
        other = DIRECTIONS.index(direction) - 1
        return direction != self.first.direction and self._told.get(stage, [0.0, 0.0])[other] > 0

    def is_adopted(self, at: int) -> bool:
        """Whether it has held for so long that it is normal."""
        return at - self._told_at > _ADOPTED_AFTER_NS

    def away(self, stage: str, direction: Direction, level: float) -> float:
        """How far a stage is from where it was, that way."""
        by = level - self.before.get(stage, level)
        return by if direction == DIRECTIONS[0] else -by


def certain(moved: Iterable[Moved], direction: Direction) -> Iterable[str]:
    """The stages that certainly moved that way."""
    return (each.stage for each in moved if each.certain and (each.added_ms > 0) == (direction == DIRECTIONS[0]))
