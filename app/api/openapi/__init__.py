"""The OpenAPI document: descriptions, examples, error responses and translation."""
