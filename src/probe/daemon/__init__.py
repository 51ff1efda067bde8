"""The service: composes what measures with who reads the records, and keeps it going until it is told to end."""
