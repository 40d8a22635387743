"""Ray's token authentication: whether a token is there and in use. No token is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from raymaml.health.check import Check

DEFAULT = Path("~/.ray/auth_token")


def token(address: str, mode: str, given: bool, file: Path, permissions: int | None) -> Check:
    """Whether commands with `address` can show a token.

    Args:
        address: `local`, `auto` or host:port.
        mode: the variable RAY_AUTH_MODE.
        given: whether RAY_AUTH_TOKEN is set.
        file: where the token lies otherwise.
        permissions: of that file; None where it is not there.
    """
    name, here = "token", given or permissions is not None
    if permissions is not None and permissions & (stat.S_IRWXG | stat.S_IRWXO):
        return Check(name, "warning", f"{file} can be read by others", f"chmod 600 {file}")
    if mode == "disabled":
        return Check(name, "ok", "authentication is off (RAY_AUTH_MODE=disabled)")
    if mode == "token" and not here:
        advice = f"copy the cluster's token to {file}, or make one: ray get-auth-token --generate"
        return Check(name, "problem", "RAY_AUTH_MODE=token, but there is no token", advice)
    if mode == "token":
        return Check(name, "ok", "authentication is on, and a token is here")
    if address == "local":
        return Check(name, "ok", "a cluster that a command starts for itself has a token without asking")
    advice = "export RAY_AUTH_MODE=token, with the cluster's token here, if the cluster has authentication"
    return Check(
        name, "warning" if here else "ok", "RAY_AUTH_MODE is not set: no token is shown", advice if here else ""
    )


def check_token(address: str, environment: Mapping[str, str] = os.environ) -> Check:
    """Look at the variables and at the file, not into it."""
    file = Path(environment.get("RAY_AUTH_TOKEN_PATH") or DEFAULT).expanduser()
    try:
        permissions = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        permissions = None
    mode, given = environment.get("RAY_AUTH_MODE", "").lower(), bool(environment.get("RAY_AUTH_TOKEN"))
    return token(address, mode, given, file, permissions)
