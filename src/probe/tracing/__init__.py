"""Spans of each run, and their export to a collector."""
