"""A real Prometheus as a process."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import urlopen

START_S = 60.0


class Listener:
    """A process of the Prometheus family that takes a free port and logs which. Ends with the context."""

    def __init__(self, command: list[str], folder: Path, name: str) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def address(self) -> str:
        deadline = time.monotonic() + START_S
        while not (lines := [line for line in self.log.read_text().splitlines() if 'msg="Listening on"' in line]):
            self._wait_a_little(deadline)
        return lines[0].rpartition("address=")[2].strip()

    def get(self, path: str, **parameters: Any) -> Any:
        with urlopen(f"http://{self.address}{path}?{urlencode(parameters)}", timeout=60) as answer:
            return json.load(answer)

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        finally:
            self._process.kill()

    def _wait_a_little(self, deadline: float) -> None:
        assert self._process.poll() is None and time.monotonic() < deadline, self.log.read_text()
        time.sleep(0.1)


class Prometheus(Listener):
    """Scrapes and judges as its configuration file says; what it stores is beside that."""

    def __init__(self, binaries: Path, config: Path) -> None:
        command = [
            str(binaries / "prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={config.parent / 'tsdb'}",
            "--web.listen-address=127.0.0.1:0",
            "--enable-feature=exemplar-storage",
        ]
        super().__init__(command, config.parent, "prometheus")

    @property
    def address(self) -> str:
        deadline = time.monotonic() + START_S
        while "Server is ready" not in self.log.read_text():
            self._wait_a_little(deadline)
        return super().address

    def query(self, query: str) -> list[dict[str, Any]]:
        return list(self._api("query", query=query)["result"])

    def wait_for(self, query: str, least: float, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not any(float(each["value"][1]) >= least for each in self.query(query)):
            assert time.monotonic() < deadline, f"{query} never came to {least}: {self.log.read_text()}"
            time.sleep(0.2)

    def exemplars(self, query: str) -> list[dict[str, str]]:
        now = time.time()
        found = self._api("query_exemplars", query=query, start=now - 600, end=now + 60)
        return [exemplar["labels"] for series in found for exemplar in series["exemplars"]]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its query, health and last error."""
        return [rule for group in self._api("rules")["groups"] for rule in group["rules"]]

    def _api(self, path: str, **parameters: Any) -> Any:
        return self.get(f"/api/v1/{path}", **parameters)["data"]
