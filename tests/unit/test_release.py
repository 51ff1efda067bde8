"""Which version this is."""

import re
import subprocess
from pathlib import Path

import pytest

from probe import release


def test_a_checkout_asks_git() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S* \(commit [0-9a-f]{12,}(-dirty)?\)", release.described())


def test_what_was_built_knows_by_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "commit.txt").write_text("0123456789ab\n")
    monkeypatch.setattr(release, "_FILE", tmp_path / "commit.txt")
    assert release.described().endswith(" (commit 0123456789ab)")


def test_elsewhere_only_the_number_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(release, "_FILE", tmp_path / "commit.txt")
    monkeypatch.setattr(release, "_ROOT", tmp_path)
    assert "commit" not in release.described()


def test_a_git_that_fails_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(128, "git")

    monkeypatch.setattr(release, "_FILE", tmp_path / "commit.txt")
    monkeypatch.setattr(subprocess, "run", fails)
    assert release.commit() is None
