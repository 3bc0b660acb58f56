"""Metrics for Prometheus: definitions, recording in memory, and the files that are exported."""
