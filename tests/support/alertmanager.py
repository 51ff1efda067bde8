"""A real Alertmanager as a process, and its receivers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

from prometheus import Listener


def own_share(binaries: Path) -> list[str]:
    """What to put before a command so that it finds its package unpacked: Debian's program looks in /usr/share only.

    It gets a view of its own, with the package's folder in that place.
    """
    if binaries == Path("/usr/bin"):
        return []
    script = 'mount --bind "$0" /usr/share && exec "$@"'
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(binaries.parent / "share")]


class Alertmanager(Listener):
    def __init__(self, binaries: Path, config: Path) -> None:
        command = [
            *own_share(binaries),
            str(binaries / "prometheus-alertmanager"),
            f"--config.file={config}",
            f"--storage.path={config.parent / 'alertmanager'}",
            "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
        ]
        super().__init__(command, config.parent, "alertmanager")

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """What it knows of the alert: labels, and `status` with `state` and `inhibitedBy`."""
        return [alert for alert in self.get("/api/v2/alerts") if alert["labels"]["alertname"] == name]

    def fire(self, *labels: dict[str, str]) -> None:
        """Send it alerts, as Prometheus does."""
        body = json.dumps([{"labels": each} for each in labels]).encode()
        url = f"http://{self.address}/api/v2/alerts"
        urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=60).close()


@dataclass
class Webhook:
    """What a webhook was sent, oldest first."""

    url: str
    messages: list[dict[str, Any]] = field(default_factory=list)

    def alerts(self, name: str, status: str, **labels: str) -> list[dict[str, Any]]:
        wanted = {"alertname": name, **labels}.items()
        told = [alert for message in self.messages for alert in message["alerts"]]
        return [alert for alert in told if alert["status"] == status and wanted <= alert["labels"].items()]


@contextmanager
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Webhook(f"http://127.0.0.1:{server.server_port}/voice-probe")
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
