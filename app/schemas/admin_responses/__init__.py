"""Response schemas of the admin API."""
