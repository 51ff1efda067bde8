"""The wheel and the source distribution of what is committed: `python dist.py FOLDER [COMMIT]`.

Built in a copy of the commit, so that nothing else of a working tree gets in; without a network, by the setuptools that
is installed. Times, owners and the order of files are those of the commit: the same commit makes the same files on the
same version of Python, setuptools and zlib.
"""

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def build(commit: str, folder: Path) -> list[Path]:
    """Write both files of a commit into the folder; return their paths, the source distribution first."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        tree, unpacked, made = (Path(work) / name for name in ("tree", "unpacked", "made"))
        made.mkdir()
        os.environ["SOURCE_DATE_EPOCH"] = epoch = _git("log", "-1", "--format=%ct", commit).decode().strip()
        _copy(commit, tree)
        source = made / _hook("build_sdist", tree, made)
        _normalise(source, int(epoch))
        # From what others will build it from: what the archive lacks, it lacks.
        with tarfile.open(source) as archive:
            archive.extractall(unpacked, filter="data")
        wheel = made / _hook("build_wheel", next(unpacked.iterdir()), made)
        return [Path(shutil.copy(each, folder)) for each in (source, wheel)]


def _copy(commit: str, tree: Path) -> None:
    """The files of a commit, with those in place of links to them, and the name of the commit."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit))) as archive:
        archive.extractall(tree, filter="data")
    for link in [each for each in tree.rglob("*") if each.is_symlink()]:
        content = link.resolve().read_bytes()
        link.unlink()
        link.write_bytes(content)
    (tree / "src" / "probe" / "commit.txt").write_bytes(_git("rev-parse", "--short=12", commit))


def _hook(name: str, tree: Path, made: Path) -> str:
    command = [sys.executable, "-c", _BUILD, name, str(made)]
    done = subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


def _normalise(path: Path, epoch: int) -> None:
    """Setuptools leaves the time and the owner of the build in the archive."""
    with tarfile.open(path) as old:
        members = sorted(old.getmembers(), key=lambda each: each.name)
        contents = {each.name: file.read() for each in members if (file := old.extractfile(each)) is not None}
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", mtime=epoch, fileobj=file) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for each in members:
            each.mtime, each.uid, each.gid, each.uname, each.gname, each.pax_headers = epoch, 0, 0, "", "", {}
            each.mode = 0o755 if each.isdir() or each.mode & 0o100 else 0o644
            new.addfile(each, io.BytesIO(contents[each.name]) if each.isfile() else None)


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True).stdout  # noqa: S607


if __name__ == "__main__":
    for each in build((*sys.argv[2:], "HEAD")[0], Path(sys.argv[1])):
        print(each)
