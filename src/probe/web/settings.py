"""What the pages are made from and who may look at them, as the command line decided it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from probe.config.expected import NextRun


@dataclass(frozen=True, slots=True)
class Settings:
    """`least_change` is the share of a latency below which a change is none; `audio_dir` None where none is kept.

    `texts` is whether what was said may be shown: words, audio and the servers' own messages.
    """

    state_dir: Path
    audio_dir: Path | None = None
    texts: bool = True
    least_change: float = 0.03
    # When the next run of a target and scenario is due, by a configuration.
    next_runs: Mapping[tuple[str, str], NextRun] | None = None
