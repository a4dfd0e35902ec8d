"""A rebuild of projections by several processes."""
