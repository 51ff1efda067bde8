"""Does the probe see the same time to first token as aiperf, on the same llama.cpp?

aiperf (`pip install aiperf==0.13`, Python 3.12, in an environment of its own) and llama.cpp's own server are started by
hand, the server with its log in a file. Both clients stream answers to the same messages, one at a time, in blocks of
requests alternately; each question begins with a line that no server has seen. The speech of the probe's runs is that
of a scripted server. What the server's log says that it took to read each prompt is taken off, as in
bench/openai_client.py.

aiperf wants a tokenizer, and none is asked for anything: one that knows nothing is written for it.

    llama-server -m SmolLM2-135M-Instruct.Q4_1.gguf -c 4096 -np 1 -t 1 --port 8471 2> llama.log &
    make bench-aiperf ARGS='--llm-url http://127.0.0.1:8471/v1 --log llama.log --aiperf ENVIRONMENT/bin/aiperf'
"""

import argparse
import asyncio
import json
import re
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from openai_client import MAX_TOKENS, SYSTEM_PROMPT, Wait, probe_ttft, report

from probe import garbage
from probe.cli.calibrate import truth_servers
from probe.config import ScenarioConfig, TargetConfig
from probe.plan import Scenario, Target, new_plan

ROUNDS = 8
REQUESTS = 10
# The first of a block makes the connection, or was kept waiting by the other's end.
WARM_UP = 1
SWITCHES = (
    "--model=default",
    "--endpoint-type=chat",
    "--streaming",
    "--concurrency=1",
    "--use-server-token-count",
    "--ui=none",
    "--custom-dataset-type=raw-payload",
    "--export-level=records",
    "--no-gpu-telemetry",
    "--no-server-metrics",
)
# One word, so that nothing has to be fetched.
TOKENIZER = {
    "tokenizer.json": {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
    },
    "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"},
    "config.json": {"model_type": "llama"},
}


def aiperf_block(program: Path, llm_url: str, target: Target, scenario: Scenario) -> list[float]:
    """The first tokens of one block, in milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in TOKENIZER.items():
            (folder / file).write_text(json.dumps(content), "utf-8")
        payloads = [json.dumps(payload(target, scenario)) + "\n" for _ in range(WARM_UP + REQUESTS)]
        (folder / "payloads.jsonl").write_text("".join(payloads), "utf-8")
        subprocess.run(
            [
                program, "profile", *SWITCHES, f"--url={llm_url.removesuffix('/v1')}", f"--tokenizer={folder}",
                f"--input-file={folder / 'payloads.jsonl'}", f"--output-artifact-dir={folder / 'out'}",
                f"--request-count={REQUESTS}", f"--warmup-request-count={WARM_UP}",
            ],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        lines = (folder / "out" / "profile_export.jsonl").read_text("utf-8").splitlines()
    records = sorted(map(json.loads, lines), key=lambda each: int(each["metadata"]["request_start_ns"]))
    return [float(each["metrics"]["time_to_first_token"]["value"]) for each in records]


def payload(target: Target, scenario: Scenario) -> dict[str, object]:
    """As the probe asks."""
    run_id = new_plan(target, scenario).run_id
    return {
        "model": "default",
        "messages": [
            {"role": "system", "content": f"Conversation {run_id}.\n{scenario.system_prompt}"},
            {"role": "user", "content": scenario.user_turns[0]},
        ],
        "temperature": scenario.temperature,
        "max_tokens": MAX_TOKENS,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def probe_block(target: Target, scenario: Scenario) -> list[float]:
    return [(await probe_ttft(new_plan(target, scenario))).ttft for _ in range(WARM_UP + REQUESTS)]


def prompts(log: Path) -> list[float]:
    """How long each prompt so far took to be read, in milliseconds."""
    found = re.findall(r"prompt eval time = +([\d.]+) ms", log.read_text("utf-8", "replace"))
    return [float(each) for each in found]


def by_turns(options: argparse.Namespace, tts_url: str) -> dict[str, list[Wait]]:
    target = TargetConfig.of(llm={"url": options.llm_url, "max_tokens": MAX_TOKENS}, tts={"url": tts_url}).record("ai")
    scenario = ScenarioConfig.of(system_prompt=SYSTEM_PROMPT, temperature=0).record("ttft")
    found: dict[str, list[Wait]] = {"probe": [], "aiperf": []}
    garbage.freeze()
    for number in range(options.rounds):
        medians = []
        for name in ("probe", "aiperf") if number % 2 else ("aiperf", "probe"):
            before = len(prompts(options.log))
            waits = (
                asyncio.run(probe_block(target, scenario))
                if name == "probe"
                else aiperf_block(options.aiperf, options.llm_url, target, scenario)
            )
            read = prompts(options.log)[before:]
            if len(read) != len(waits):
                raise SystemExit(f"{len(waits)} answers, and {len(read)} prompts in {options.log}")
            block = list(map(Wait, waits, read))[WARM_UP:]
            found[name] += block
            medians.append(f"{name} {median(each.ttft for each in block):.1f}")
        print(f"round {number + 1}: {', '.join(medians)} ms", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llm-url", required=True, help="such as http://127.0.0.1:8471/v1")
    parser.add_argument("--log", required=True, type=Path, help="the server's")
    parser.add_argument("--aiperf", required=True, type=Path, help="the program")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of {REQUESTS} requests each")
    options = parser.parse_args()
    with truth_servers() as scripted:
        report(by_turns(options, scripted.urls["openai"][1]), "aiperf")


if __name__ == "__main__":
    main()
