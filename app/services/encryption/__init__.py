"""Encryption keys: usage, proofs, rotation, and the readiness check."""
