"""Failing apps: which apps fail, since when, why, and what to do."""
