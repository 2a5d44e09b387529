"""For all tests: no property has a deadline, for other programs may hold the processor."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.running"]

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
