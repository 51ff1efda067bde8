"""The scripts that make what is released; they are no modules of the package."""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def module(name: str) -> ModuleType:
    """A script of requirements/, as a module."""
    return script(ROOT / "requirements" / f"{name}.py")


@cache
def script(path: Path) -> ModuleType:
    """Any script, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
