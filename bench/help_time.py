"""How long does `probe --help` take?

Prints the median and the best of so many starts, Python's own included, and Python's own alone.

    python bench/help_time.py --starts 20
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median


def starts_ms(command: Sequence[str], starts: int) -> list[float]:
    """How long each start of a command takes, the first one, which reads the files, left out."""
    times = []
    for _ in range(starts + 1):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append((time.perf_counter() - began) * 1000)
    return times[1:]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=20)
    starts = parser.parse_args().starts
    for name, command in {
        "python": [sys.executable, "-c", ""],
        "probe --help": [sys.executable, "-m", "probe", "--help"],
    }.items():
        times = starts_ms(command, starts)
        print(f"{name:13} median {median(times):5.0f} ms  best {min(times):5.0f} ms")


if __name__ == "__main__":
    main()
