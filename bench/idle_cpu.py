"""How much CPU does a daemon use that measures once a minute?

A real `probe daemon` with every sink but audio, one target on scripted servers in another process. CPU time of the
daemon from after its start, as a share of one core.

    python bench/idle_cpu.py --minutes 5
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from scripted_servers import configured

SETTLE_S = 10.0


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=5.0)
    minutes = parser.parse_args().minutes
    with configured() as (_, path):
        command = [sys.executable, "-m", "probe", "daemon", "--config", str(path)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(SETTLE_S)
            began, used = time.monotonic(), cpu_s(process.pid)
            time.sleep(minutes * 60)
            used, took = cpu_s(process.pid) - used, time.monotonic() - began
            resident = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        finally:
            process.terminate()
            process.wait(15)
    print(f"{used:.2f} s of CPU in {took:.0f} s: {100 * used / took:.3f} % of a core; resident {resident / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
