"""Signing keys and JWTs."""
