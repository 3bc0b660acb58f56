"""Descriptions and examples of fields in the OpenAPI document."""
