"""Wire protocols of the servers: frames in, events out. No sockets, no clock, no waiting."""
