"""How much does `/probe` add to the run that it asks for?

A real `probe daemon` with every sink but audio, on scripted servers in another process. What a scrape took, less the
run as in its record; the questions to the servers before a run are part of the difference, as for any run.

    python bench/on_demand.py --runs 100
"""

import argparse
import json
import subprocess
import sys
import time
from http.client import HTTPConnection
from statistics import median, quantiles

from scripted_servers import configured

from probe.config import Config
from probe.history.reader import reading
from probe.timestamps import NS_PER_S


def scrape(port: int, target: str) -> float:
    """How long one took, in milliseconds."""
    began = time.monotonic()
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"/probe?target={target}")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(body.decode())
    return (time.monotonic() - began) * 1000


def runs_ms(config: Config, count: int) -> list[float]:
    """How long the last runs took, the oldest first."""
    if config.daemon.state_dir is None:
        raise SystemExit("no folder")
    with reading(config.daemon.state_dir) as history:
        return [(each.ended - each.started) * 1000 / NS_PER_S for each in history.runs(limit=count)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    count = parser.parse_args().runs
    with configured() as (config, path):
        command = [sys.executable, "-m", "probe", "daemon", "--config", str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            lines = map(json.loads, process.stdout or ())
            port = next(line["http_port"] for line in lines if line["event"] == "started")
            target = next(iter(config.targets))
            scrape(port, target)
            took = [scrape(port, target) for _ in range(count)]
            added = [whole - run for whole, run in zip(took, runs_ms(config, count), strict=True)]
        finally:
            process.terminate()
            process.wait(15)
    most = quantiles(added)[2]
    print(
        f"a scrape took {median(took):.1f} ms, {median(added):.1f} ms more than its run (three quarters: {most:.1f} ms)"
    )


if __name__ == "__main__":
    main()
