"""What a person reads of runs."""
