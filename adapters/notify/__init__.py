"""How people are told of what happened."""
