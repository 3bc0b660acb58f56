"""Daily counts of logins, funnel steps and failures per app, and the writer of these counts."""
