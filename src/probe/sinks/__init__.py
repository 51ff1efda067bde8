"""What becomes of a finished run: each sink reads the record and nothing else."""
