"""Bytes in with their arrival time, bytes out with their write time: the only users of a socket on the client side."""
