"""Keep a Prometheus that holds a case running: `python -m demo_data CASE` prints its address."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from demo_data.cases import CASES
from demo_data.tsdb import prometheus

RULES = Path(__file__).parents[2] / "deploy" / "prometheus"


def main() -> None:
    parser = argparse.ArgumentParser(prog="demo_data", description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--binaries", type=Path, default=Path(shutil.which("promtool") or "promtool").parent)
    arguments = parser.parse_args()
    for ends in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ends, lambda *_: sys.exit())
    with (
        tempfile.TemporaryDirectory() as folder,
        prometheus(CASES[arguments.case], arguments.binaries.resolve(), Path(folder), RULES) as url,
    ):
        print(url, flush=True)  # noqa: T201 - what it is for
        signal.pause()


if __name__ == "__main__":
    main()
