"""The port for Prometheus: a process of its own beside the workers (docs/decisions/0033)."""
