"""A real Kafka on this machine, for the tests and for `make cluster`. Nothing here is part of the product."""
