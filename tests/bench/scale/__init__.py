"""Costs per user and per request in databases of several sizes, and the capacity model.

`make bench-scale` measures. docs/scaling.md states the results and the model.
"""
