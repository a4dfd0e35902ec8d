"""The outside world behind the domain's ports. Adapters import `domain` only, never each other."""
