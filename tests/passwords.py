"""Passwords of the tests' users and operators: strong enough for both."""

GOOD_PASSWORD = "violet-harbour-74"
OTHER_PASSWORD = "copper-meadow-58"
