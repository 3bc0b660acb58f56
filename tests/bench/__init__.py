"""How fast the service is: `python -m tests.bench`, and `python -m tests.bench.scale`.

What is measured is known only from outside: its HTTP, its tables, and its processes.
"""
