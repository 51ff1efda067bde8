"""The service: composes what measures with the readers of its records, and keeps it going until a signal ends it."""
