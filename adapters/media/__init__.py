"""Media workers as the sessions process uses them, and the session descriptions of our own media."""
