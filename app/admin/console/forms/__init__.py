"""Forms of the console, their fields, checks and drafts."""
