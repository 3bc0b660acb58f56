"""Operators: accounts, sessions, sign-in, one-time codes, and step-up."""
