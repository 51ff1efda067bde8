"""What stands where a configuration should: a file, a pipe, or something that would never end."""

import os
from pathlib import Path

import pytest

from probe.config import ConfigError, files, load


def test_a_file_and_a_pipe_are_read_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * 100_000)
    assert files.read_small(tmp_path / "file") == b"a" * 100_000
    reads, writes = os.pipe()
    os.write(writes, b"of a pipe")
    os.close(writes)
    assert files.read_small(Path(f"/dev/fd/{reads}")) == b"of a pipe"
    os.close(reads)


def test_a_pipe_that_nobody_writes_to_is_no_configuration_nor_is_one_that_nobody_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PATIENCE_S", 0.01)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="nothing came of this pipe"):
        files.read_small(tmp_path / "fifo")
    keep = os.open(tmp_path / "fifo", os.O_RDWR)
    with pytest.raises(OSError, match="nothing came of this pipe"):
        files.read_small(tmp_path / "fifo")
    os.close(keep)


def test_what_has_no_end_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (files.MAX_BYTES + 1))
    for path, why in ((Path("/dev/zero"), "neither a file nor a pipe"), (tmp_path, "directory"), (large, "1 MiB")):
        with pytest.raises(ConfigError, match=f"can't be read: .*{why}"):
            load(path)
