"""Background threads, per-process state, and polling."""
