"""Background threads, per-process state, bounded dictionaries, polling and rate limits."""
