"""Comparison with other login services: `make bench-peers`."""
