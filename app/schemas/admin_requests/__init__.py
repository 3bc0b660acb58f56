"""Request schemas of the admin API. Unknown fields are rejected."""
