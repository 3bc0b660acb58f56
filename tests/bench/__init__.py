"""Benchmarks: `python -m tests.bench` and `python -m tests.bench.scale`.

They use the service only through HTTP, its tables and its processes.
"""
