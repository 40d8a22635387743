"""Checks of the environment: pure functions of what is given to them, and those that look."""
