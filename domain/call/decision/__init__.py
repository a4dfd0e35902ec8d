"""Decisions on a call: a scene and an input in, events out. `turn` says which one is asked."""
