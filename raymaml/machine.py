"""The state of this process that numbers depend on: threads, allocator, versions."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

import torch

from raymaml.version import __version__

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc malloc.h
PACKAGES = ("ray", "torch", "torchvision", "numpy", "zarr", "scipy", "safetensors")


def pin(threads: int) -> None:
    """Fix what changes the last bits of a result: the thread count and the choice of cuDNN kernels.

    Ray gives its workers other thread counts than a shell has, and a reused worker keeps the old one.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False  # on by default: float32 would silently keep 10 bits of mantissa
    _keep_freed_memory()


@contextlib.contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Whether CUDA may round the factors of float32 products to TF32 inside the block; no matter to the CPU."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    try:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def _keep_freed_memory() -> None:
    # glibc maps every large activation afresh and faults its pages in: up to 1.7 times slower (Conv4, 84 px).
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def device_of(name: str) -> torch.device:
    """`auto` is CUDA where this process sees a GPU, else the CPU."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def provenance() -> dict[str, str | int]:
    """Versions, processor and thread count, for the record beside every result."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "raymaml": __version__,
        "python": platform.python_version(),
        **versions,
        "machine": platform.machine(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
    }


def other_versions(there: Mapping[str, Any]) -> str:
    """What the provenance of a result names otherwise than this process would, for people; empty if nothing."""
    here = provenance()
    names = ("python", *PACKAGES, "raymaml", "machine", "processor")
    return ", ".join(f"{n} {there[n]} (here {here[n]})" for n in names if n in there and there[n] != here[n])


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return platform.processor() or os.uname().machine
