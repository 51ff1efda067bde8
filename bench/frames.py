"""Ten million mutated frames through each codec: never an exception, never a frame that takes long.

The corpora of `make fuzz`, mutated blindly (bits, bytes, pieces left out, doubled, put in from others, cut), and its
checks, through each of `CODECS`: what is in a frame of the two founding servers, what carries it, and the answers of
the other servers, whole. Of connections and answers every eighth is read in many pieces too, which must come to the
same; that takes three times as long as one piece. The same seed, the same frames.

    make bench-frames                              a hundred thousand of each, in a minute of CPU
    make bench-frames ARGS='--frames 10000000'     in an hour and a quarter
    make bench-frames ARGS='--only wyoming'
"""

import argparse
import importlib.util
import itertools
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

FUZZ = Path(__file__).parents[1] / "tests" / "fuzz"
SUPPORT = FUZZ.parent / "support"
LONGEST = 4096
PIECES = (
    b"{",
    b"}",
    b"[",
    b'"',
    b"\\u0000",
    b"\\ud83d",
    b"\x00",
    b"\xff\xfe",
    b"\r\n\r\n",
    b"data: ",
    b"1e999",
    b"-1",
    b"null",
)
Check = Callable[[bytes], object]
# Of so many connections or answers one is read in pieces too.
IN_PIECES = 8


def target(name: str) -> ModuleType:
    """A module of tests/fuzz, without the fuzzer that it is made for."""
    stand_in = SimpleNamespace(instrument_imports=lambda **_: nullcontext())
    sys.modules.setdefault("atheris", stand_in)  # type: ignore[arg-type]  # all of it that is used
    if str(SUPPORT) not in sys.path:
        sys.path.append(str(SUPPORT))
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FUZZ / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def corpus(pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((FUZZ / "corpus").glob(pattern))]


def mutated(entries: Sequence[bytes], rng: random.Random) -> bytes:
    """One of them with one to four mutations."""
    data = bytearray(rng.choice(entries))
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randrange(len(data) + 1), rng.randint(1, 16)
        match rng.randrange(7):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(data):
                data[at] = rng.randrange(256)
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = data[at : at + size] * rng.randint(1, 8)
            case 4:
                other = rng.choice(entries)
                begin = rng.randrange(len(other) + 1)
                data[at:at] = other[begin : begin + 4 * size]
            case 5:
                del data[at:]
            case _:
                data[at:at] = rng.choice(PIECES)
    return bytes(data[:LONGEST])


def in_turn(often: Check, seldom: Check) -> Check:
    checks = itertools.cycle([seldom, *[often] * (IN_PIECES - 1)])

    def check(data: bytes) -> object:
        return next(checks)(data)

    return check


def codecs() -> dict[str, tuple[Sequence[bytes], Check]]:
    """By name: what is mutated, and what reads it."""
    frames, answers, events = target("frames"), target("answers"), target("events")
    heard = in_turn(answers.one_whole_answer, answers.one_answer)

    def of_kind(choice: int, which: int) -> Check:
        """Bits of the first two bytes say to whose conversation an answer comes, and through what."""

        def one(data: bytes) -> None:
            if len(data) >= answers.SHORTEST:
                others = data[1] & ~(answers.NEWER | answers.GRPC)
                heard(bytes([data[0] & ~3 | choice, others | which]) + data[2:])

        return one

    def over_http(data: bytes) -> None:
        """The answer of any server that is asked over HTTP."""
        if data:
            heard(bytes([data[0] | 1]) + data[1:])

    def of_events(choice: int) -> Check:
        """Of an agent and of speech servers behind a WebSocket: the lowest bits of the first byte say of which."""

        def one(data: bytes) -> None:
            if data:
                events.one_talk(bytes([data[0] & ~3 | choice]) + data[1:])

        return one

    connection = in_turn(lambda data: frames.messages([data[1:]]), lambda data: frames.one_connection(data[1:]))
    return {
        "founding": (corpus("frames/[!c]*") + corpus("frames/created"), frames.one_frame),
        "websocket": (corpus("frames/connection*"), connection),
        "chat": (corpus("answers/chat_*"), of_kind(0, 0)),
        "ollama": (corpus("answers/ollama_*"), of_kind(0, answers.NEWER)),
        "speech": (corpus("answers/speech_*"), of_kind(2, 0)),
        "wyoming": (corpus("answers/wyoming_*"), of_kind(2, answers.NEWER)),
        "riva": (corpus("answers/riva_*"), of_kind(2, answers.GRPC)),
        "riva-http2": (corpus("answers/riva_*"), of_kind(3, answers.GRPC)),
        "agent": (corpus("events/*"), of_events(1)),
        "agent-session": (corpus("events/*"), of_events(0)),
        "vllm": (corpus("events/*"), of_events(2)),
        "nim": (corpus("events/*"), of_events(3)),
        "http": (corpus("answers/[!wr]*"), over_http),
    }


CODECS = {
    "founding": "a frame of the founding servers",
    "websocket": "a WebSocket connection",
    "chat": "a chat server's answer",
    "ollama": "Ollama's answer",
    "speech": "a speech server's answer",
    "wyoming": "Wyoming events",
    "riva": "Riva's messages",
    "riva-http2": "HTTP/2 with Riva's messages",
    "agent": "events of an agent",
    "agent-session": "an agent's session",
    "vllm": "vLLM-Omni's speech",
    "nim": "a NIM's speech",
    "http": "HTTP/1.1 with any answer",
}


def run(name: str, entries: Sequence[bytes], check: Check, frames: int, seed: int) -> bool:
    """Whether all went well. Prints a row of the table in docs/security.md, also where it is interrupted (SIGINT)."""
    rng = random.Random(f"{name} {seed}")  # noqa: S311 - the same each time
    began, slowest, done = time.process_time(), 0.0, 0
    try:
        while done < frames:
            data = mutated(entries, rng)
            before = time.thread_time()
            check(data)
            slowest = max(slowest, time.thread_time() - before)
            done += 1
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        print(f"{name}, frame {done}: {type(error).__name__}: {error}\n  {data!r}", flush=True)
        return False
    finally:
        rate = done / (time.process_time() - began)
        print(f"| {CODECS[name]} | {done:,} | {rate:,.0f} | {1000 * slowest:.1f} ms |", flush=True)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=CODECS, action="append", help="one of these, as often as wanted")
    arguments = parser.parse_args()
    # Also where it was started in the background, by a shell that has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("| what is read | mutated | per second of CPU | slowest |\n|---|---|---|---|", flush=True)
    made = codecs()
    found = [run(name, *made[name], arguments.frames, arguments.seed) for name in arguments.only or CODECS]
    raise SystemExit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
