"""Checks of a deployment, for `flask --app wsgi doctor`.

A check is a function that yields findings.
"""
