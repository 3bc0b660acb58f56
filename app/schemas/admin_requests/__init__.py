"""Requests of the admin API. Unknown fields are refused."""
