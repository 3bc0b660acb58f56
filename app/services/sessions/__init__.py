"""Login sessions: tokens, refresh, authentication, and queries."""
