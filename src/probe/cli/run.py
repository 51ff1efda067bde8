"""`probe run`: one run, watched live, then reported."""

from pathlib import Path
from typing import Any

import click

from probe.garbage import without_collections


@click.command(short_help="Measure once: live timeline, summary, chunk table.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Configuration file (TOML).")
@click.option("--target", help="A configured target.  [default: the first]")
@click.option("--scenario", help="A configured scenario.  [default: the first]")
@click.option("--llm-url", metavar="WS_URL", help="The chunked LLM server.  [default: ws://localhost:8002/ws]")
@click.option("--tts-url", metavar="WS_URL", help="The TTS server.  [default: ws://localhost:8001/ws/tts/stream]")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="What the user says; again for another turn.")
@click.option("--turns", type=int, help="How many turns, cycling the prompts.")
@click.option("--voice", help="A voice of the TTS server.  [default: aria]")
@click.option("--language", help="A language of the TTS server.  [default: en]")
@click.option("--save-audio", "wav", type=click.Path(path_type=Path), metavar="FILE.wav", help="Keep what was heard.")
@click.option("--verbose", is_flag=True, help="Show every frame and every timestamp.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
def run(config_path: Path | None, wav: Path | None, *, verbose: bool, as_json: bool, **options: Any) -> None:
    with without_collections():
        from probe.cli import live_run  # noqa: PLC0415 - 80 ms that `probe run --help` need not take

        # This imports, too; what little garbage it leaves, a process that ends with its run need not look for.
        plan, max_lag_ms = live_run.planned(config_path, wav, **options)
    measure = live_run.printing_json if as_json else live_run.reported
    record = measure(plan, max_lag_ms, verbose=verbose)
    if wav is not None:
        live_run.save_audio(record, wav)
    raise SystemExit(live_run.conclude(record))


run.help = """Measure one run: ask the LLM server, have the TTS server speak, report every stage.

\b
Exit codes:
  0  ok         every turn's first audio came within the objective
  1  failed     a server failed; the line on stderr says which stage and why
  2  usage      a flag, the configuration or a path is wrong
  3  slow       complete, but a response started later than the objective
  4  suspect    complete, but the measurement can't be trusted
  5  skipped    the LLM server has no slot free: its users come first

\b
Examples:
  probe run --llm-url ws://spark:8002/ws --tts-url ws://spark:8001/ws/tts/stream
  probe run --prompt "Tell me a joke." --prompt "Another one." --save-audio jokes.wav
  probe run --json | jq .summary
"""
