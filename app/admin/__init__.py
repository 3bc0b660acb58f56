"""What operators use: the JSON API below /v1/admin, and the web console."""
