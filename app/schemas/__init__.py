"""Request and response schemas. Schemas do not access the database."""
