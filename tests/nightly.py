"""Tests that take minutes, or thousands of cases: run where RAYMAML_NIGHTLY is set."""

import os

import pytest

NIGHTLY = os.environ.get("RAYMAML_NIGHTLY", "") not in ("", "0")


def only(takes: str):
    """A mark for a test that takes so long."""
    return pytest.mark.skipif(not NIGHTLY, reason=f"{takes}: set RAYMAML_NIGHTLY=1")
