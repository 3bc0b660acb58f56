"""Tenants and their mini-programs: claims, secrets, verification, and calls to WeChat."""
