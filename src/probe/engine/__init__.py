"""One run: a plan in, a record out."""
