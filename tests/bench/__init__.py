"""Benchmarks: `python -m tests.bench` and `python -m tests.bench.scale`.

The benchmarks send HTTP requests to running gunicorn workers, and read and write the database
directly only to fill it.
"""
