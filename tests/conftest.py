"""Programs that are no Python packages, for the tests that want the real thing."""

import gc
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
from alertmanager import own_share
from debian import binaries

PACKAGES = {"prometheus_binaries", "alertmanager_binaries"}


@pytest.fixture(scope="session")
def prometheus_binaries(pytestconfig: pytest.Config) -> Path:
    """The folder with `prometheus` and `promtool`."""
    return binaries(pytestconfig, "prometheus", "prometheus", "promtool")


@pytest.fixture(scope="session")
def alertmanager_binaries(pytestconfig: pytest.Config) -> Path:
    """The folder with `prometheus-alertmanager` and `amtool`."""
    folder = binaries(pytestconfig, "prometheus-alertmanager", "prometheus-alertmanager", "amtool")
    tried = subprocess.run([*own_share(folder), "true"], capture_output=True, timeout=60, check=False)
    if tried.returncode:
        pytest.skip(f"Debian's Alertmanager wants a mount namespace: {tried.stderr.decode().strip()}")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected is kept until the end: the garbage collector would look through it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks first for a package waits for its download."""
    for item in items:
        if not PACKAGES.isdisjoint(getattr(item, "fixturenames", ())) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(400))
