"""Responses of the admin API."""
