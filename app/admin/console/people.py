"""Avatars without pictures: the initials of a name and a colour."""

from uuid import UUID

from flask import Flask

COLOURS = 6


def init_app(app: Flask) -> None:
    """Register the template filters for names and ids of people."""
    for one in (initials, colour_of, short_id):
        app.add_template_filter(one)


def initials(name: str) -> str:
    """Return the first characters of the first two words, or the first one of a Chinese name."""
    words = name.split()
    return "".join(word[0] for word in words[:2]).upper() if words else "?"


def colour_of(id: UUID | str) -> int:
    """Return the number of the colour for an id, from 1. The same id always has the same one."""
    return sum(str(id).encode()) % COLOURS + 1


def short_id(id: UUID | str) -> str:
    """Return the end of an id. Ids begin with the time, so recent ids differ at the end."""
    return f"…{str(id)[-8:]}"
