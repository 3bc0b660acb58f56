"""Marker for texts that are extracted into translations/. Imports no module of wxpass."""


def N_(text: str) -> str:
    """Return the text unchanged. The call marks it for extraction; gettext translates it later."""
    return text
