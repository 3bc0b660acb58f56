"""Users, their phone numbers and credentials, merges, and account closure."""
