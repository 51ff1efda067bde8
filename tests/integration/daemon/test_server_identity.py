"""The model and the build that a llama.cpp server reports, and since when."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from service import Service, eventually, service, write_config

from probe.reference.faults import ScriptedLlm, ScriptedTts

SERVING = re.compile(r"^voice_probe_serving_since_timestamp_seconds{.*llm=\"(.*?)\"")


class Llama:
    """llama.cpp's HTTP server, as far as it says which model it has."""

    def __init__(self) -> None:
        self.props = ""
        llama = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/props" and llama.props else 503)
                self.end_headers()
                self.wfile.write(llama.props.encode())

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def serve(self, model: str) -> None:
        self.props = f'{{"model_path": "/models/{model}", "build_info": "b1"}}'


@contextmanager
def llama() -> Iterator[Llama]:
    running = Llama()
    thread = Thread(target=running.server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        running.server.shutdown()
        thread.join(10)
        running.server.server_close()


async def serving(daemon: Service) -> dict[str, float]:
    """Since when, by model and build."""
    found = {SERVING.match(series): since for series, since in (await daemon.metrics()).items()}
    return {match[1]: since for match, since in found.items() if match}


async def serves(daemon: Service, model: str) -> dict[str, float]:
    """The same, empty where it is not this model alone."""
    found = await serving(daemon)
    return found if found.keys() == {model} else {}


async def test_a_change_is_reported_with_its_time_and_outlives_a_restart(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        with llama() as asked:
            target = f'llama_url = "{asked.url}"'
            config = write_config(tmp_path, llm_server.url, tts_server.url, every_s=1, target=target)
            asked.serve("small.gguf")
            async with service(config) as daemon:
                await eventually(lambda: len(daemon.records()) > 1)
                asked.serve("large.gguf")
                await eventually(lambda: daemon.records()[-1].served.model == "large.gguf")
                before = {r.started / 1e9 for r in daemon.records() if r.served.model == "small.gguf"}
                # The history has a run before the metrics do.
                since = (await eventually(lambda: serves(daemon, "large.gguf b1")))["large.gguf b1"]
                assert since > max(before)
                await daemon.end()
            asked.props = ""
            async with service(config) as daemon:
                assert await serving(daemon) == {"large.gguf b1": since}
                known = len(daemon.records())
                await eventually(lambda: len(daemon.records()) > known)
                assert await serving(daemon) == {"large.gguf b1": since}
