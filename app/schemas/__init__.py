"""The shapes of requests and responses; they know no database."""
