"""Ten million mutated frames through each codec: never an exception, never a frame that takes long.

The corpora of `make fuzz`, mutated blindly (bits, bytes, pieces left out, doubled, put in from others, cut), and its
checks: WebSocket frames as both founding servers' codecs read them, events of an agent and of vLLM-Omni's speech server
in conversations, and whole HTTP answers, through HTTP/1.1 and
without it, to a chat and to a speech conversation, each in one piece and in many. The same seed, the same frames.

    make bench-frames                          a hundred thousand of each, in two minutes of CPU
    make bench-frames ARGS='--frames 10000000'
"""

import argparse
import importlib.util
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

FUZZ = Path(__file__).parents[1] / "tests" / "fuzz"
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
Check = Callable[[bytes], None]


def target(name: str) -> ModuleType:
    """A module of tests/fuzz, without the fuzzer that it is made for."""
    stand_in = SimpleNamespace(instrument_imports=lambda **_: nullcontext())
    sys.modules.setdefault("atheris", stand_in)  # type: ignore[arg-type]  # all of it that is used
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FUZZ / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def corpus(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((FUZZ / "corpus" / name).iterdir())]


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


def of_kind(check: Check, bits: int) -> Check:
    """Answers of one kind: the lowest bits of the first byte say to whose conversation they come, and through what."""

    def one(data: bytes) -> None:
        check(bytes([data[0] & ~3 | bits]) + data[1:] if data else data)

    return one


def codecs() -> dict[str, tuple[str, Check]]:
    frames, answers, events = target("frames").one_frame, target("answers").one_answer, target("events").one_talk
    return {
        "frames of the founding servers": ("frames", frames),
        "events of an agent": ("events", of_kind(events, 1)),
        "an agent's session": ("events", of_kind(events, 0)),
        "vLLM-Omni's speech": ("events", of_kind(events, 2)),
        "NIM's speech": ("events", of_kind(events, 3)),
        "chat": ("answers", of_kind(answers, 0)),
        "chat through HTTP/1.1": ("answers", of_kind(answers, 1)),
        "speech": ("answers", of_kind(answers, 2)),
        "speech through HTTP/1.1": ("answers", of_kind(answers, 3)),
    }


def run(name: str, entries: Sequence[bytes], check: Check, frames: int, seed: int) -> bool:
    """Whether all went well."""
    rng = random.Random(f"{name} {seed}")  # noqa: S311 - the same each time
    began, slowest = time.process_time(), 0.0
    for number in range(frames):
        data = mutated(entries, rng)
        before = time.thread_time()
        try:
            check(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            print(f"{name}, frame {number}: {type(error).__name__}: {error}\n  {data!r}", flush=True)
            return False
        slowest = max(slowest, time.thread_time() - before)
    taken = time.process_time() - began
    print(
        f"{name:31} {frames} frames, {frames / taken:.0f} per s of CPU, the slowest {1000 * slowest:.1f} ms", flush=True
    )
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = [
        run(name, corpus(entries), check, arguments.frames, arguments.seed)
        for name, (entries, check) in codecs().items()
    ]
    raise SystemExit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
