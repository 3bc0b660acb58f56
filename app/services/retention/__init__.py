"""Deletion of rows whose retention period is over."""
