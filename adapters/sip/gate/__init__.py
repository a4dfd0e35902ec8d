"""Who comes in before anything is parsed: looks, budgets, pressure."""
