"""Every finished run, in one SQLite file."""
