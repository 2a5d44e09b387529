"""For all tests: no property has a deadline, for other programs may hold the processor; what is measured is shared;
tests of real parts are marked, so that a quick run can leave them out.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.measurements import measurements

pytest_plugins = ["tests.running", "tests.start_machine"]

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

REAL_PARTS = {
    "app", "browser", "embedder", "engine", "first_start", "loaded", "measured", "open_app", "reference", "running",
    "server", "small_engine", "wide_model_path",
}  # fmt: skip
"""Fixtures that load a model, start the application or a browser, or install packages: tests that use them are slow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `./test.sh --quick` leaves out; other slow tests are marked where they stand."""
    for item in items:
        if not REAL_PARTS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def shared_measurements() -> Iterator[None]:
    """Decode times are measured once in a run."""
    yield
    measurements.forget()
