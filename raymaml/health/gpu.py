"""GPUs: what the driver has, and what torch sees of it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from raymaml.health.check import Check, size

SECONDS = 20.0  # for nvidia-smi, which hangs where a driver is broken


@dataclass(frozen=True)
class Seen:
    """GPUs as torch sees them."""

    names: tuple[str, ...]
    memory: tuple[int, ...]  # bytes
    cuda: str | None  # version that torch was built for
    works: str = ""  # the error of a small computation


def gpus(driver: str | None, count: int, seen: Seen) -> Check:
    """The driver's version (None: no driver) and number of GPUs, against torch's."""
    if driver is None:
        return Check("gpu", "ok", "none: everything runs on the CPU")
    if not count:
        return Check("gpu", "warning", f"driver {driver}, but no GPU answers", "see: nvidia-smi")
    if not seen.names:
        why = "torch is built without CUDA" if seen.cuda is None else f"torch for CUDA {seen.cuda} sees none"
        advice = "install a torch with CUDA, a newer driver, or unset CUDA_VISIBLE_DEVICES"
        return Check("gpu", "problem", f"driver {driver} has {count}, but {why}", advice)
    kinds = ", ".join(f"{name} ({size(memory)})" for name, memory in zip(seen.names, seen.memory, strict=True))
    text = f"{len(seen.names)} of {count}: {kinds}; driver {driver}, torch for CUDA {seen.cuda}"
    if seen.works:
        return Check("gpu", "problem", f"{text}: computing fails: {seen.works}", "another driver or torch")
    if len(seen.names) < count:
        return Check("gpu", "warning", text, "CUDA_VISIBLE_DEVICES hides the others")
    return Check("gpu", "ok", text)


def check_gpus() -> Check:
    """Ask nvidia-smi and torch."""
    driver, count = _driver()
    return gpus(driver, count, look())


def look() -> Seen:
    """What torch sees; a small product is computed on the first."""
    import torch

    if not torch.cuda.is_available():
        return Seen((), (), torch.version.cuda)
    found = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    error = ""
    try:
        torch.ones(8, 8, device="cuda").mm(torch.ones(8, 8, device="cuda")).sum().item()
    except RuntimeError as failure:
        error = str(failure).strip().splitlines()[0]
    return Seen(tuple(p.name for p in found), tuple(p.total_memory for p in found), torch.version.cuda, error)


def _driver() -> tuple[str | None, int]:
    """Version of the driver, and how many GPUs it has."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None, 0
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "that does not answer", 0
    versions = done.stdout.split() if done.returncode == 0 else []
    return (versions[0], len(versions)) if versions else ("that has no GPU", 0)
