"""What the API reads, answered from projections, the journal and the storage."""
