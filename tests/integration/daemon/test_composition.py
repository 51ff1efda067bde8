"""What a daemon is made of is there before its first run."""

from pathlib import Path

from probe import config
from probe.daemon.composition import build
from probe.transport.framing.table import FRAMINGS, framing_named


async def test_no_framing_is_imported_during_a_run(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text(f'[daemon]\nstate_dir = "{tmp_path}"\n[http]\nport = 0\n[schedules.a]\n')
    framing_named.cache_clear()
    parts = build(config.load(path))
    try:
        assert framing_named.cache_info().currsize == len(FRAMINGS)
    finally:
        await parts.dispatch.drain(10)
        parts.close(10)
