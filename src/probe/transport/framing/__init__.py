"""Bytes to frames and back, without I/O: one file for each framing."""
