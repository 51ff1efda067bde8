"""A first configuration as a text, with comments, for a person to go on with: `probe init` writes it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from probe.config.errors import dotted
from probe.plan import Role
from probe.spoken import PAUSE
from probe.text import cut, one_line

_WIDTH = 100
_HEARS: Role = "stt"


class FirstServer(Struct, frozen=True):
    """One server: its protocol and URL, its `options`, what was found of it, and options that it does without."""

    protocol: str
    url: str
    options: Mapping[str, Any]
    note: str
    unset: Mapping[str, str]


def first_configuration(target: str, servers: Mapping[Role, FirstServer]) -> str:
    """The file's text. What servers said is in it as comments of one line, and as quoted values."""
    scenario = _SPOKEN if _HEARS in servers else _WRITTEN
    return "\n".join([*_HEAD, *_target(target, servers), *scenario, *_TAIL]) + "\n"


_HEAD = (
    "# Written by `probe init`, from what was found running. Once changed, have it checked:",
    "#     probe check-config --probe FILE   connects to the servers, too",
    "#     probe run --config FILE           one run, watched",
    "#     probe daemon --config FILE        measures on a schedule",
    "# Every setting, with its default: probe check-config --show FILE",
    "",
)
_WRITTEN = (
    "[scenarios.default]",
    "# What is said, one text for each turn; and where a free-running answer is cut.",
    '# user_turns = ["What is the weather like on Mars?"]',
)
# Of a target that hears.
_SPOKEN = (
    "[scenarios.default]",
    "# What is said, one text for each turn. The target's own TTS server speaks it, once; recordings are WAV files.",
    'user_turns = ["What is the weather like on Mars?"]',
    '# user_audio = ["mars.wav"]',
    "# People stop to think, and some servers cut them off there:",
    f'# user_turns = ["What is the weather {PAUSE} like on Mars?"]',
    "# Where a free-running answer is cut:",
)
_TAIL = (
    "# first_pause = { sentence_boundary = true }",
    "",
    "[schedules.default]",
    "every_s = 300   # how often the daemon measures",
    "",
    "# [http]",
    "# port = 9850   # /metrics, /healthz and /readyz of the daemon",
)


def _target(name: str, servers: Mapping[Role, FirstServer]) -> Iterator[str]:
    yield f"[{dotted(('targets', name))}]"
    if _HEARS in servers:
        yield "objective_ms = 1500   # slow is what takes longer from the end of the speech to the first sound"
        yield 'objective_measure = "voice_to_voice"'
    else:
        yield "objective_ms = 1000   # a response that takes longer to start is slow"
    yield ""
    for role, server in servers.items():
        yield from _server(name, role, server)


def _server(target: str, role: Role, server: FirstServer) -> Iterator[str]:
    yield f"[{dotted(('targets', target, role))}]"
    yield f"# {cut(one_line(server.note), _WIDTH)}"
    yield f"protocol = {_written(server.protocol)}"
    yield f"url = {_written(server.url)}"
    for name, value in server.options.items():
        yield f"{dotted((name,))} = {_written(value)}"
    for name, why in server.unset.items():
        yield f"# {dotted((name,))} = …   # {cut(one_line(why), _WIDTH)}"
    yield ""


def _written(value: Any) -> str:
    # A name that a server made up of control characters would be no TOML; it is none that can be asked for, either.
    return json.dumps(one_line(value) if isinstance(value, str) else value, ensure_ascii=False)
