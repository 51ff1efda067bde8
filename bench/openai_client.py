"""Does the probe see the same time to first token as OpenAI's own client, on the same llama.cpp?

llama.cpp's server runs in a process of its own, and is asked by turns: by the probe in whole runs, whose speech is that
of a scripted server, and by the `openai` package, which streams an answer to the same messages on a connection that it
keeps. Each question begins with a line that no server has seen, so that both wait for the prompt to be read. Each round
asks both, in an order that changes.

    make bench-openai_client
"""

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from os import getloadavg
from statistics import median, quantiles, stdev

from openai import AsyncOpenAI

from probe import garbage
from probe.cli.calibrate import truth_servers
from probe.config import ScenarioConfig, TargetConfig
from probe.measurement import measure
from probe.measures import measure_run
from probe.plan import new_plan
from probe.record import Plan
from probe.reference.llm_command import half_of_the_cpus
from probe.reference.llm_model import default_model

ROUNDS = 150
# What is compared is the first token. A short question is asked more often in the same time.
MAX_TOKENS = 8
SYSTEM_PROMPT = "Answer in one short sentence."
CTX_SIZE = 4096
# A slot of llama.cpp is free a moment after its last word.
REST_S = 0.05
# As the issue wants it.
MOST_APART_PERCENT = 2.0
HEADS = ("min", "p10", "median", "p95", "p75 - p25", "deviation")


@contextmanager
def llama() -> Iterator[str]:
    """Serve the default model; the base URL that a client of OpenAI's wants."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    yield f"{ours.recv()}/v1"
    process.terminate()
    process.join()


def _serve(pipe: Connection) -> None:
    from probe.reference.llama_embedded import embedded_llama  # noqa: PLC0415 - only here llama.cpp is wanted

    model, threads = default_model(), half_of_the_cpus()
    with embedded_llama(model, slots=1, ctx_size=CTX_SIZE, threads=threads, verbose=False) as url:
        pipe.send(url)
        # Until it is terminated.
        pipe.poll(None)


async def probe_ttft(plan: Plan) -> float:
    done = await measure(plan, max_lag_ms=20)
    if done.record.failure is not None:
        raise SystemExit(f"a run failed: {done.record.failure.detail}")
    return measure_run(done.record)[0].chunks[0].llm_ttft_ms or 0.0


async def client_ttft(client: AsyncOpenAI, plan: Plan) -> float:
    scenario = plan.scenario
    began = time.perf_counter()
    stream = await client.chat.completions.create(
        model="default",
        messages=[
            {"role": "system", "content": f"Conversation {plan.run_id}.\n{scenario.system_prompt}"},
            {"role": "user", "content": scenario.user_turns[0]},
        ],
        temperature=scenario.temperature,
        max_tokens=MAX_TOKENS,
        stream=True,
        stream_options={"include_usage": True},
    )
    first = 0.0
    async for chunk in stream:
        if not first and chunk.choices and chunk.choices[0].delta.content:
            first = (time.perf_counter() - began) * 1000
    return first


async def by_turns(llm_url: str, tts_url: str, rounds: int) -> dict[str, list[float]]:
    target = TargetConfig.of(llm={"url": llm_url, "max_tokens": MAX_TOKENS}, tts={"url": tts_url}).record("llama")
    scenario = ScenarioConfig.of(system_prompt=SYSTEM_PROMPT, temperature=0).record("ttft")
    found: dict[str, list[float]] = {"probe": [], "openai": []}
    async with AsyncOpenAI(api_key="none", base_url=llm_url, max_retries=0, timeout=60) as client:
        asks: list[tuple[str, Callable[[Plan], Awaitable[float]]]] = [
            ("probe", probe_ttft), ("openai", partial(client_ttft, client)),
        ]  # fmt: skip
        for _, ask in asks:
            await ask(new_plan(target, scenario))
        garbage.freeze()
        for number in range(rounds):
            for name, ask in asks if number % 2 else reversed(asks):
                await asyncio.sleep(REST_S)
                found[name].append(await ask(new_plan(target, scenario)))
    return found


def report(found: dict[str, list[float]]) -> None:
    print(f"load averages, this bench included: {', '.join(f'{each:.1f}' for each in getloadavg())}")
    print(f"{'llm_ttft_ms':12} {'n':>4} " + " ".join(f"{head:>9}" for head in HEADS))
    for name, each in found.items():
        cuts = quantiles(each, n=100, method="inclusive")
        figures = (min(each), cuts[9], cuts[49], cuts[94], cuts[74] - cuts[24], stdev(each))
        print(f"{name:12} {len(each):4} " + " ".join(f"{figure:9.2f}" for figure in figures))
    own, other = median(found["probe"]), median(found["openai"])
    apart = 100 * (own - other) / other
    pairs = median(ours - theirs for ours, theirs in zip(found["probe"], found["openai"], strict=True))
    print(f"medians: {apart:+.2f} % ({own - other:+.2f} ms), at most {MOST_APART_PERCENT:g} % wanted; "
          f"median of the differences of each round {pairs:+.2f} ms")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with llama() as llm_url, truth_servers() as scripted:
        report(asyncio.run(by_turns(llm_url, scripted.urls["openai"][1], rounds)))


if __name__ == "__main__":
    main()
