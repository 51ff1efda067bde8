"""The service: connects the measurement with the sinks of its records, and runs until a signal ends it."""
