"""Container images without a registry and without an engine: buildah and debootstrap of Debian, unpacked, as root.

An image runs in a chroot, with a user, an environment and a volume of its own, and a root that is read-only.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from debian import unpacked
from released import ROOT

_TOOLS = (
    "buildah", "libgpgme11", "libassuan0", "golang-github-containers-common", "golang-github-containers-image",
    "debootstrap",
)  # fmt: skip
# On a busy machine with a slow mirror.
_BUILD_S = 1500
BASE = "localhost/base"
# Its python3 is the base's own.
_INCLUDED = "python3,python3-venv,ca-certificates"


def why_not() -> str | None:
    """Why no image can be built here; None where one can."""
    if os.geteuid() != 0:
        return "building an image without a container engine needs root"
    if missing := [each for each in ("apt-get", "dpkg", "unshare", "chroot") if not shutil.which(each)]:
        return f"building an image here needs {', '.join(missing)}"
    return None


@dataclass(frozen=True)
class Builder:
    """Buildah with a store of its own in `folder`."""

    tools: Path
    folder: Path

    def run(self, *arguments: str | Path) -> str:
        """A buildah command. Its libraries are unpacked, and it starts itself again without our environment."""
        containers = self.tools / "etc" / "containers"
        policy = f"--signature-policy={containers / 'policy.json'}"
        takes_policy = arguments[0] in {"bud", "commit", "from"}
        command = [
            "unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/ld.so.cache && exec "$@"', self._library_cache(),
            self.tools / "usr" / "bin" / "buildah", "--storage-driver", "vfs", "--root", self.folder / "store",
            "--runroot", self.folder / "run", "--registries-conf", containers / "registries.conf",
            arguments[0], *([policy] if takes_policy else []), *arguments[1:],
        ]  # fmt: skip
        return run(*command).strip()

    def _library_cache(self) -> Path:
        cache, settings = self.folder / "ld.cache", self.folder / "ld.conf"
        if not cache.exists():
            libraries = next((self.tools / "usr" / "lib").glob("*/libgpgme.so.*")).parent
            settings.write_text(f"{libraries}\ninclude /etc/ld.so.conf\n")
            run("/sbin/ldconfig", "-X", "-C", cache, "-f", settings)
        return cache


def builder(config: pytest.Config, folder: Path) -> Builder:
    """Skips where the tools are not available."""
    if (reason := why_not()) is not None or config.cache is None:
        pytest.skip(reason or "no cache to fetch buildah into")
    return Builder(unpacked(config.cache.mkdir("buildah"), *_TOOLS), folder)


def base(config: pytest.Config, made: Builder) -> Path:
    """Make `BASE`, a Debian as small as can be with its Python, and return its files, kept from an earlier call."""
    assert config.cache is not None
    root = config.cache.mkdir("container-base") / "root"
    if not (root.parent / "complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        _debootstrap(made.tools, root)
        (root.parent / "complete").touch()
    container = made.run("from", "scratch")
    made.run("add", "-q", container, root, "/")
    made.run("commit", "-q", container, BASE)
    return root


def _debootstrap(tools: Path, root: Path) -> None:
    suite = next(
        line.partition("=")[2]
        for line in Path("/etc/os-release").read_text().splitlines()
        if "VERSION_CODENAME" in line
    )
    listed = run("apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {suite}", "Component: main")
    if not listed.strip():
        pytest.skip("apt has no lists of packages: run apt-get update")
    script = tools / "usr" / "sbin" / "debootstrap"
    try:
        run(
            "sh", script, "--variant=minbase", f"--include={_INCLUDED}", suite, root, listed.splitlines()[0],
            DEBOOTSTRAP_DIR=str(tools / "usr" / "share" / "debootstrap"),
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        pytest.skip(f"debootstrap: {error.stdout[-300:]}")
    for left in (*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*Packages")):
        left.unlink()


def wheels(folder: Path, *locks: Path) -> Path:
    """The locked packages as files. Skips where no registry has them."""
    flags = ("--disable-pip-version-check", "--require-hashes", "--no-deps", "--only-binary", ":all:", "-d", folder)
    named = [part for lock in locks for part in ("-r", lock)]
    try:
        run(sys.executable, "-m", "pip", "download", "-q", *flags, *named)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no registry has the locked packages: {error.stderr[-300:]}")
    return folder


def built(made: Builder, target: str, commit: str, *locks: str) -> str:
    """Build a stage of our Containerfile on `BASE`, with the packages of these locks; return the name of its image."""
    found = wheels(made.folder / "wheels", *(ROOT / "requirements" / name for name in locks))
    pip = made.folder / "pip.conf"
    pip.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    name = f"localhost/voice-probe:{target}"
    made.run(
        "bud", "--isolation", "chroot", "--pull-never", "--format", "docker", f"--secret=id=pip,src={pip}",
        f"--volume={found}:/wheels:ro", f"--build-arg=BASE={BASE}", f"--build-arg=COMMIT={commit}",
        "-f", ROOT / "deploy" / "Containerfile", "--target", target, "-t", name, ROOT,
    )  # fmt: skip
    return name


@dataclass(frozen=True)
class Image:
    """The files of an image, and what it says of itself."""

    root: Path
    environment: Mapping[str, str]
    # Where its commands start.
    folder: str = "/"

    def command(self, work: Path, volume: Path, uid: int, command: Sequence[str]) -> list[str]:
        """A command line that runs it as a user with a volume at the state directory, and all else read-only.

        `work` is an empty folder, where its root is mounted for as long as it runs.
        """
        mounts = (
            f"mount --bind {self.root} {work} && mount -o remount,bind,ro {work} && "
            f"mount -t tmpfs -o mode=1777 tmpfs {work / 'tmp'} && mount -t proc proc {work}/proc && "
            f"mount --bind {volume} {work}/var/lib/voice-probe && "
            f'exec chroot --userspec={uid}:{uid} {work} "$@"'
        )
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        inside = ["env", "-i", f"--chdir={self.folder}", *environment, *command]
        return ["unshare", "--mount", "sh", "-c", mounts, "sh", *inside]


def image(made: Builder, name: str) -> Image:
    """The files of a built image, and its configuration."""
    about = configuration(made, name)
    environment = dict(each.split("=", 1) for each in about["Env"])
    container = made.run("from", "--pull-never", name)
    return Image(Path(made.run("mount", container)), environment, about["WorkingDir"] or "/")


def configuration(made: Builder, name: str) -> Any:
    """The settings with which a container of this image is started by default."""
    return json.loads(made.run("inspect", "--type", "image", name))["Docker"]["config"]


def megabytes(folder: Path) -> float:
    """The size of the files of an image or a base."""
    # Entries of /proc and /dev are none of the image's.
    return sum(each.lstat().st_size for each in folder.rglob("*") if each.is_file() or each.is_symlink()) / 1e6


# SIOCSIFFLAGS: the loopback interface up and running, before the command.
_LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH22x", b"lo", 0x41))
os.execvp(sys.argv[1], sys.argv[1:])
"""


def without_network(command: Sequence[str]) -> list[str]:
    """A command line that runs a command with a loopback interface of its own, and no other."""
    return ["unshare", "--net", sys.executable, "-c", _LOOPBACK, *command]


def run(*command: str | Path, **environment: str) -> str:
    """Run a command; return its stdout. Raises CalledProcessError."""
    done = subprocess.run(
        [*map(str, command)], env={**os.environ, **environment}, check=True, capture_output=True, text=True,
        timeout=_BUILD_S,
    )  # fmt: skip
    return done.stdout
