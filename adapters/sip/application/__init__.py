"""The user of the transactions: requests to the shards, effects to the phones."""
