"""Spans of each run, and their way to a collector."""
