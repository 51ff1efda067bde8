"""Measures how long a person waits before a local voice agent speaks."""

from importlib.metadata import version

__version__ = version("voice-probe")
