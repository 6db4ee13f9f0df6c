"""The home of the end-to-end tests."""

from tests.e2e.conftest import home

__all__ = ["home"]
