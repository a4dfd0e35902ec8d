"""The PBX as pure data and decisions: no clock, no sockets, no randomness, nothing of ours imported."""
