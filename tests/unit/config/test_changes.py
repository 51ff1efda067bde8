"""What a log may say of the difference between two configurations."""

from collections.abc import Callable
from pathlib import Path

import pytest

from probe import config
from probe.config.changes import changes

BEFORE = """
[targets.a]
objective_ms = 1000
[targets.a.llm]
url = "ws://me:hunter2@spark:8002/ws"
headers = { authorization = "Bearer hunter3", gone = "x" }
[targets.a.tts]
voice = "aria"
[targets.old]
[scenarios.s]
user_turns = ["Tell me a secret."]
[schedules.x]
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], config.Config]:
    def load(text: str) -> config.Config:
        path = tmp_path / "probe.toml"
        path.write_text(text)
        return config.load(path)

    return load


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("objective_ms = 1000", "objective_ms = 800.5", ["targets.a.objective_ms 1000 → 800.5"]),
        ("hunter2", "hunter4", ["targets.a.llm.url"]),
        ("hunter3", "hunter4", ["targets.a.llm.headers.authorization"]),
        (
            ', gone = "x"',
            ', new = "hunter5"',
            ["targets.a.llm.headers.gone removed", "targets.a.llm.headers.new added"],
        ),
        ('voice = "aria"', 'voice = "leo"\ngap_ms = 200', ["targets.a.tts.gap_ms 150 → 200", "targets.a.tts.voice"]),
        ("[targets.old]", "[targets.new]", ["targets.new added", "targets.old removed"]),
        ("a secret", "another secret", ["scenarios.s.user_turns"]),
        ("[schedules.x]", "[schedules.x]\nevery_s = 30", ["schedules.x.every_s 60 → 30"]),
        (
            "[schedules.x]",
            "[daemon]\nparallel_targets = true\n[schedules.x]",
            ["daemon.parallel_targets false → true"],
        ),
        ("[schedules.x]", '[schedules.x]\ncron = "* * * * *"', ["schedules.x.cron"]),
        ("[schedules.x]", "[schedules.x]\n", []),
    ],
)
def test_what_changed_is_named_and_no_text_is_shown(
    read: Callable[[str], config.Config], was: str, becomes: str, said: list[str]
) -> None:
    old, new = read(BEFORE), read(BEFORE.replace(was, becomes))
    assert changes(old, new) == said
    assert changes(old, old) == changes(new, new) == []
    assert not any(secret in " ".join(said) for secret in ("hunter", "secret.", "leo"))


def test_another_protocol_is_named_with_its_options(read: Callable[[str], config.Config]) -> None:
    chat = BEFORE.replace('url = "ws://me:hunter2@spark:8002/ws"', 'url = "http://spark:8000/v1"')
    found = changes(read(BEFORE), read(chat))
    assert {"targets.a.llm.protocol", "targets.a.llm.url", "targets.a.llm.model added"} <= {*found}
