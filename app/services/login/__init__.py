"""Logging in: code exchange, fast path, binding, and bind keys."""
