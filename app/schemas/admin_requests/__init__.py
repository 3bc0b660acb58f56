"""What operators' scripts may send. A field that is not named in a schema is refused."""
