"""Wire protocols of the servers: bytes in, events out. No sockets, no waiting."""
