"""What does one `probe run` cost as a whole process, imports and report included, beside a client of an afternoon?

CPU time of each process, user and system, against scripted servers in another process; interleaved, so that whatever
else the machine does falls on all alike; medians. Then `probe --help` beside an interpreter that does nothing. Modules
are compiled once, before, as they are where they have been installed.

    make bench-one_shot
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from scripted_servers import servers

from probe.cli.exit_codes import EXIT_CODES

NAIVE = "import asyncio, sys; from naive_client import converse; print(asyncio.run(converse(*sys.argv[1:], 32 * 'a')))"


def cpu_ms(command: list[str], environment: Mapping[str, str]) -> float:
    """CPU milliseconds of a process, its output thrown away."""
    silence = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    process = os.posix_spawn(command[0], command, environment, file_actions=silence)
    _, status, usage = os.wait4(process, 0)
    # On a busy machine a run may be suspect; it costs what others cost.
    if os.waitstatus_to_exitcode(status) not in (0, EXIT_CODES["suspect"]):
        raise SystemExit(f"{' '.join(command)}: exit code {os.waitstatus_to_exitcode(status)}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def costs_ms(commands: Mapping[str, list[str]], times: int) -> dict[str, list[float]]:
    """What each command costs, one after the other so many times; a first time, which compiles, is left out."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        costs: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(times + 1):
            for name, command in commands.items():
                cost = cpu_ms(command, environment)
                costs[name] += [cost] * (number > 0)
    return costs


def report(costs: Mapping[str, list[float]], most: float) -> None:
    """How much more the first one costs than the other."""
    for name, each in costs.items():
        print(f"{name:14} median {median(each):6.1f} ms  best {min(each):6.1f} ms")
    ours, theirs = costs.values()
    print(f"{median(ours) / median(theirs):.2f} times as much; at most {most:g} is wanted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    python, probe = [sys.executable], [sys.executable, "-m", "probe"]
    with servers() as at:
        run = [*probe, "run", "--llm-url", at.llm_url, "--tts-url", at.tts_url]
        naive = [*python, "-c", NAIVE, at.llm_url, at.tts_url]
        report(costs_ms({"probe run": run, "naive client": naive}, times), 1.3)
    report(costs_ms({"probe --help": [*probe, "--help"], "python": [*python, "-c", "pass"]}, times), 6)


if __name__ == "__main__":
    main()
