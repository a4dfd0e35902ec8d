"""The desk: the commands that other processes may give the sessions process, one file a subject."""
