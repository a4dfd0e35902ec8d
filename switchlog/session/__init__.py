"""The sessions process: its shards, what they are connected to, and its loop."""
