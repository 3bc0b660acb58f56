"""Which keys encrypted what, key rotation, and readiness."""
