"""Forms of the console, field validators, and drafts of forms that were submitted too late."""
