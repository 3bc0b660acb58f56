"""Per-process caches and their invalidation."""
