"""What does one `probe run` cost as a whole process, imports and report included, beside a client of an afternoon?

CPU time of each process, user and system, against scripted servers in another process; interleaved, so that whatever
else the machine does falls on all alike; medians. Then `probe --help` beside an interpreter that does nothing.

    make bench-one_shot
"""

import argparse
import os
import sys
from pathlib import Path
from statistics import median

from scripted_servers import servers

NAIVE = "import asyncio, sys; from naive_client import converse; print(asyncio.run(converse(*sys.argv[1:], 32 * 'a')))"
# At most so many times as much: what CONTRIBUTING.md asks of a change.
MOST = {"probe run": 1.3, "probe --help": 6.0}


def cpu_ms(command: list[str]) -> float:
    """CPU milliseconds of a process, its output thrown away."""
    silence = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    process = os.posix_spawn(command[0], command, environment, file_actions=silence)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: exit code {os.waitstatus_to_exitcode(status)}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def compare(ours: str, ours_command: list[str], theirs: str, their_command: list[str], times: int) -> None:
    costs: tuple[list[float], list[float]] = ([], [])
    for number in range(times + 1):
        pair = cpu_ms(ours_command), cpu_ms(their_command)
        if number:  # the first of each reads the files
            for each, cost in zip(costs, pair, strict=True):
                each.append(cost)
    for name, each in zip((ours, theirs), costs, strict=True):
        print(f"{name:16} median {median(each):6.1f} ms  best {min(each):6.1f} ms")
    ratio = median(costs[0]) / median(costs[1])
    print(f"{ours} costs {ratio:.2f} times as much; at most {MOST[ours]:g} is wanted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    python = sys.executable
    with servers() as at:
        compare(
            "probe run", [python, "-m", "probe", "run", "--llm-url", at.llm_url, "--tts-url", at.tts_url],
            "naive client", [python, "-c", NAIVE, at.llm_url, at.tts_url],
            times,
        )  # fmt: skip
    compare("probe --help", [python, "-m", "probe", "--help"], "python", [python, "-c", "pass"], times)


if __name__ == "__main__":
    main()
