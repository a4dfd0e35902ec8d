"""The office: tenants, extensions and keys, from a declaration to events."""
