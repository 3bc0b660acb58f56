"""Times on console pages."""

from datetime import timedelta

import pytest
from flask import Flask

from app.admin.console.times import relative_time
from app.clock import now
from app.languages import speak


@pytest.mark.parametrize(
    ("language", "text"), [("en", "5 minutes ago"), ("zh", "5 分钟前")], ids=["en", "zh"]
)
def test_relative_time_is_in_the_language_of_the_page(app: Flask, language: str, text: str) -> None:
    with app.test_request_context():
        speak(language)
        assert relative_time(now() - timedelta(minutes=5)) == text
