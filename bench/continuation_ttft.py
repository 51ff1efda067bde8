"""How much faster is a continuation's first token than the first chunk's? Nothing, if the KV cache is not reused.

    python bench/continuation_ttft.py                          starts a reference LLM server and asks it
    python bench/continuation_ttft.py ws://127.0.0.1:8002/ws   asks the server that is running there

Each run is a conversation that the server has not seen: a first chunk of 10 tokens, then continuations up to sentence
ends. Prints both TTFTs as the client sees them, in milliseconds, and their ratio.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from websockets.asyncio.client import ClientConnection, connect

SECONDS = 60
CONTINUATIONS = 3
INSTRUCTIONS = (
    "You are a helpful assistant on a small computer, and your answers are spoken aloud. Use short sentences and plain"
    " words. Never use lists, markup or emoji. Be friendly, and say so when you do not know something."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", help="a running server's WebSocket address")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--serve", default="", help="options for the server that is started, such as '--threads 1'")
    arguments = parser.parse_args()
    if arguments.url:
        report(asyncio.run(measure(arguments.url, arguments.runs)))
        return
    with reference_server(arguments.serve.split()) as url:
        report(asyncio.run(measure(url, arguments.runs)))


@contextmanager
def reference_server(options: list[str]) -> Iterator[str]:
    command = [sys.executable, "-m", "probe", "serve", "llm", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline() if process.stderr else ""
            if not line.startswith("listening on "):
                sys.exit(line.strip() or "the server did not start")
            yield line.split()[-1]
        finally:
            process.terminate()


async def measure(url: str, runs: int) -> list[list[float]]:
    """Return for each run the TTFT of each of its chunks."""
    async with asyncio.timeout(SECONDS * runs), connect(url, compression=None, proxy=None) as socket:
        return [await conversation(socket) for _ in range(runs)]


async def conversation(socket: ClientConnection) -> list[float]:
    stream_id = f"bench-{uuid.uuid4()}"
    messages = [
        {"role": "system", "content": f"Conversation {uuid.uuid4()}. {INSTRUCTIONS}"},
        {"role": "user", "content": "Tell me three jokes about unicorns."},
    ]
    ten_tokens, sentence = {"max_tokens": 10}, {"sentence_boundary": True}
    ttfts = [
        await ttft(
            socket,
            action="start_stream",
            stream_id=stream_id,
            messages=messages,
            pause=ten_tokens,
            stream_tokens=True,
        )
    ]
    ttfts += [
        await ttft(socket, action="continue_stream", stream_id=stream_id, pause=sentence) for _ in range(CONTINUATIONS)
    ]
    await socket.send(json.dumps({"action": "end_stream", "stream_id": stream_id}))
    await socket.recv()
    return [value for value in ttfts if value is not None]


async def ttft(socket: ClientConnection, **request: object) -> float | None:
    """Return the milliseconds to the first token frame, None if the response was over."""
    first = None
    started = time.monotonic()
    await socket.send(json.dumps(request))
    while (frame := json.loads(await socket.recv())).get("type") == "token":
        first = first or time.monotonic()
    if "error" in frame:
        sys.exit(f"the server answered: {frame['error']}")
    return None if first is None else (first - started) * 1000


def report(runs: list[list[float]]) -> None:
    first = [ttfts[0] for ttfts in runs]
    later = [ttft for ttfts in runs for ttft in ttfts[1:]]
    for name, values in (("first chunk", first), ("continuation", later)):
        print(
            f"{name:13} n={len(values):3}  median {median(values):6.0f}  min {min(values):6.0f}  max {max(values):6.0f}"
        )
    print(f"ratio of the medians {median(later) / median(first):.2f}")


if __name__ == "__main__":
    main()
