"""Output of commands that report on tenants."""
