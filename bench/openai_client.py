"""Does the probe see the same time to first token as OpenAI's own client, on the same llama.cpp?

llama.cpp's server runs in a process of its own, and is asked alternately: by the probe in whole runs, whose speech is
that of a scripted server, and by the `openai` package, which streams an answer to the same messages on a connection
that it keeps. Each question begins with a line that no server has seen, so that both wait for the prompt to be read.
Each round asks both, in an order that changes.

How long the model takes to read a prompt differs by far more than the clients do where others want its core. llama.cpp
says how long it was (`prompt_ms`), so what is left without it, of one token more and of both ways, is compared too.

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
from typing import NamedTuple

from openai import AsyncOpenAI

from probe import garbage
from probe.cli.calibrate import truth_servers
from probe.config import ScenarioConfig, TargetConfig
from probe.config.daemon import SelfCheckConfig
from probe.measurement import measure
from probe.measures import measure_run
from probe.plan import Plan, new_plan
from probe.reference.llm_command import half_of_the_cpus
from probe.reference.llm_model import default_model

ROUNDS = 100
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


class Wait(NamedTuple):
    """For one first token, in milliseconds: as measured by the client, and the prompt's share by the server."""

    ttft: float
    prompt: float


async def probe_ttft(plan: Plan) -> Wait:
    done = await measure(plan, SelfCheckConfig().tolerance())
    if done.record.failure is not None:
        raise SystemExit(f"a run failed: {done.record.failure.detail}")
    ttft = measure_run(done.record)[0].chunks[0].llm_ttft_ms or 0.0
    return Wait(ttft, done.record.turns[0].server_times["prompt_ms"])


async def client_ttft(client: AsyncOpenAI, plan: Plan) -> Wait:
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
    first, prompt = 0.0, 0.0
    async for chunk in stream:
        # Of llama.cpp alone.
        timings = (chunk.model_extra or {}).get("timings") or {}
        prompt = timings.get("prompt_ms", prompt)
        if not first and chunk.choices and chunk.choices[0].delta.content:
            first = (time.perf_counter() - began) * 1000
    return Wait(first, prompt)


async def by_turns(llm_url: str, tts_url: str, rounds: int) -> dict[str, list[Wait]]:
    target = TargetConfig.of(llm={"url": llm_url, "max_tokens": MAX_TOKENS}, tts={"url": tts_url}).record("llama")
    scenario = ScenarioConfig.of(system_prompt=SYSTEM_PROMPT, temperature=0).record("ttft")
    found: dict[str, list[Wait]] = {"probe": [], "openai": []}
    async with AsyncOpenAI(api_key="none", base_url=llm_url, max_retries=0, timeout=60) as client:
        asks: list[tuple[str, Callable[[Plan], Awaitable[Wait]]]] = [
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


def report(found: dict[str, list[Wait]], other: str = "openai") -> None:
    print(f"load averages, this bench included: {', '.join(f'{each:.1f}' for each in getloadavg())}")
    report_one("llm_ttft_ms", {name: [each.ttft for each in waits] for name, waits in found.items()})
    report_one("less prompt_ms", {name: [each.ttft - each.prompt for each in waits] for name, waits in found.items()})
    whole, apart = (
        {name: median(each.ttft - less * each.prompt for each in waits) for name, waits in found.items()}
        for less in (0, 1)
    )
    for what, medians in (("medians", whole), ("without what the prompt took", apart)):
        difference = medians["probe"] - medians[other]
        print(f"{what}: {difference:+.2f} ms, {100 * difference / whole[other]:+.2f} % of a first token; "
              f"{MOST_APART_PERCENT:g} % wanted at most")  # fmt: skip


def report_one(what: str, found: dict[str, list[float]]) -> None:
    print(f"{what:14} {'n':>4} " + " ".join(f"{head:>9}" for head in HEADS))
    for name, each in found.items():
        cuts = quantiles(each, n=100, method="inclusive")
        figures = (min(each), cuts[9], cuts[49], cuts[94], cuts[74] - cuts[24], stdev(each))
        print(f"{name:14} {len(each):4} " + " ".join(f"{figure:9.2f}" for figure in figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with llama() as llm_url, truth_servers() as scripted:
        report(asyncio.run(by_turns(llm_url, scripted.urls["openai"][1], rounds)))


if __name__ == "__main__":
    main()
