"""One interaction between parties: its legs, its events, what it owes the world and when it must act."""
