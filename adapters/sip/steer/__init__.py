"""Between nodes: what belongs to another one, by which ways it goes there, and how its phones are reached."""
