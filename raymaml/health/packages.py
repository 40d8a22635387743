"""Python and the packages, against the bounds that raymaml declares."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from raymaml.health.check import Check

ADVICE = "install again: pip install . (in a checkout: pip install -e .)"


def python(bounds: str, version: str) -> Check:
    """Python's version against bounds such as `>=3.11`."""
    if version not in SpecifierSet(bounds, prereleases=True):
        return Check("python", "problem", f"{version}, needed is {bounds}", "make a venv with another Python")
    return Check("python", "ok", f"{version} (needed: {bounds})")


def package(requirement: Requirement, version: str | None) -> Check:
    """An installed version, or None, against a requirement."""
    name, bounds = requirement.name, str(requirement.specifier) or "any"
    if version is None:
        return Check(name, "problem", f"is not installed, needed is {bounds}", ADVICE)
    if not requirement.specifier.contains(version, prereleases=True):
        return Check(name, "problem", f"{version}, needed is {bounds}", ADVICE)
    return Check(name, "ok", f"{version} (needed: {bounds})")


def check_packages(
    requires: Callable[[str], Iterable[str] | None] = metadata.requires,
    version_of: Callable[[str], str] = metadata.version,
    bounds_of_python: Callable[[], str] = lambda: metadata.metadata("raymaml")["Requires-Python"],
) -> Iterator[Check]:
    """Python and every package that raymaml needs; those of extras are left out."""
    try:
        needed = [Requirement(line) for line in requires("raymaml") or ()]
        bounds = bounds_of_python()
    except metadata.PackageNotFoundError:
        yield Check("raymaml", "warning", "is not installed: its bounds are not known", ADVICE)
        return
    yield python(bounds, platform.python_version())
    for requirement in needed:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield package(requirement, _version(requirement.name, version_of))


def _version(name: str, version_of: Callable[[str], str]) -> str | None:
    try:
        return version_of(name)
    except metadata.PackageNotFoundError:
        return None
