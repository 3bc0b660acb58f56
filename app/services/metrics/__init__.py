"""Counts of what happens in apps, and their writer."""
