"""Paths of the pages, and parts of their HTML."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from flask import Flask

from app.headers import EXPLORER, LANDING

# The paths with the kind of their Content-Security-Policy.
PAGES = {"/": LANDING, "/docs": EXPLORER}
Serve = Callable[..., Flask]
PHONE = "http://127.0.0.1:8001/demo/"
ADDRESS = re.compile(r'(?:href|src|data-document)="([^"]*)"')

both = pytest.mark.parametrize("path", PAGES)


def addresses(page: str) -> list[str]:
    """Return the addresses of all links, style sheets, scripts and images, and of the document."""
    return [unescape(address) for address in ADDRESS.findall(page)]


def text_of(page: str) -> str:
    """Return the text of a page in one line."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", page)))
