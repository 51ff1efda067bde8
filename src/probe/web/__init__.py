"""Pages over the history: a process of its own, which only reads, so that it shares no loop with a measurement."""
