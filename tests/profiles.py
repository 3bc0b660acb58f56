"""Hypothesis profiles.

By default every run tries the same few examples. `make test-repeat` tries others each time, from a
seed that it prints; HYPOTHESIS_PROFILE=long tries many, for minutes.
"""

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "short",
    max_examples=10,
    stateful_step_count=20,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile("seeded", parent=settings.get_profile("short"), derandomize=False)
settings.register_profile(
    "long", parent=settings.get_profile("seeded"), max_examples=400, stateful_step_count=60
)
NAME = os.environ.get("HYPOTHESIS_PROFILE", "short")
PROFILE = settings.get_profile(NAME)
