"""What operators do for one tenant, in the console and the admin API."""
