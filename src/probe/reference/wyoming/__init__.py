"""The reference server for Wyoming, the protocol of Home Assistant's voice servers: real speech over plain TCP."""
