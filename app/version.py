"""The version of wxpass. CONTRIBUTING.md describes when it changes."""

VERSION = "0.4.0-dev"
