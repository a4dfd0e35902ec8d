"""One node among others: who they are, whose each shard is, and what crosses between them."""
