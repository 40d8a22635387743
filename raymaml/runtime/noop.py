"""An actor that does nothing, so that what is timed is the driver; imports nothing, since 64 of them start at once."""

from __future__ import annotations


class Noop:
    """What a pool needs of an actor."""

    def prepare(self) -> None:
        """Be ready."""

    def evaluate(self, job: object) -> None:
        """Receive a job."""
