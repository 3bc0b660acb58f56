"""Request and response schemas. They do not use the database."""
