"""What is derived from the journal and can be dropped and derived again with an identical result."""
