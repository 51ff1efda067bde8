"""Measures how long a person waits before a local voice agent speaks."""
