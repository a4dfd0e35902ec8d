"""The command line: a command each, all of them clients of the HTTP API but for `serve` and `ready`."""
