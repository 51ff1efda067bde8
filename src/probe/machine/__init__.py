"""The machine that the probe runs on: its clocks, its memory, its load and its GPU, read beside a run."""
