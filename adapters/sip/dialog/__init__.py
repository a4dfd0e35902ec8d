"""What lasts between requests: dialog state, names, flows, and what we say of ourselves."""
