"""Prometheus: what is observed of each run, and how it is exposed."""
