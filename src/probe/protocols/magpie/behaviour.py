"""What is known of a Magpie server: does it mark its segments, or keep short texts until more comes? Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

# The older version's own estimate, by which it decides whether to speak a text yet.
ESTIMATED_MS_PER_WORD = 400
# No older server speaks a text that it estimates as shorter: one word.
LEAST_FLUSH_MS = 500.0


class Behaviour(Struct):
    """What has been learnt of one server in the course of a run; all of it in the server's own estimate of a text.

    A text below `keeps_below_ms` is sure to be kept, one from `speaks_from_ms` on sure to be spoken: what lies between
    only shows when it has been waited for. Texts that wait together are one text, joined with nothing between.
    """

    markers: bool = False
    keeps_below_ms: float = 0.0
    speaks_from_ms: float = 4000.0

    def keeps(self, text: str) -> bool:
        """Whether it is sure to wait for more text, so that no audio can be expected."""
        return not self.markers and estimated_ms(text) < self.keeps_below_ms

    def may_keep(self, text: str) -> bool:
        """Whether it may be waiting for more text."""
        return not self.markers and estimated_ms(text) < self.speaks_from_ms

    def kept(self, text: str) -> None:
        """Learn that this was kept: so is whatever it takes for no longer."""
        self.keeps_below_ms = max(self.keeps_below_ms, min(estimated_ms(text) + 1, self.speaks_from_ms))

    def spoke(self, text: str) -> None:
        """Learn that this was spoken though no more text came: so is whatever it takes for as long."""
        self.speaks_from_ms = min(self.speaks_from_ms, max(estimated_ms(text), LEAST_FLUSH_MS))
        self.keeps_below_ms = min(self.keeps_below_ms, self.speaks_from_ms)

    def last_spoken(self, texts: Sequence[str], heard_ms: float) -> int:
        """Which of these, sent one after the other, is the last that audio of this length speaks: the likeliest."""
        estimated = [estimated_ms("".join(texts[: n + 1])) for n in range(len(texts))]
        least_ms = max(LEAST_FLUSH_MS, self.keeps_below_ms)
        worth_it = [n for n, ms in enumerate(estimated) if ms >= least_ms]
        return min(worth_it, key=lambda n: abs(math.log(heard_ms / estimated[n])), default=len(texts) - 1)


def stated(options: Mapping[str, Any]) -> Behaviour:
    """What the configuration says of the server."""
    generation, flush_ms = options.get("generation"), options["flush_ms"]
    keeps_below_ms = flush_ms if generation == "older" else 0.0
    return Behaviour(markers=generation == "newer", keeps_below_ms=keeps_below_ms, speaks_from_ms=flush_ms)


def is_one_word(text: str) -> bool:
    """Whether no older server would take it for worth speaking by itself, however it is set up."""
    return estimated_ms(text) < LEAST_FLUSH_MS


def estimated_ms(text: str) -> int:
    """How long the server takes a text for."""
    return ESTIMATED_MS_PER_WORD * len(text.split())
