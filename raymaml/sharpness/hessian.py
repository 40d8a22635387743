"""Largest eigenvalue and trace of a loss's Hessian, from Hessian-vector products.

The products are forward over reverse differentiation (Pearlmutter 1994). curvlinops 3.0.1 does the same under
vmap, which torch 2.14 refuses for Conv4 at 28 pixels (a clone to channels-last is not implemented there).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.func import grad, jvp

from raymaml.params import Params, from_vector, to_vector

Vector = npt.NDArray[np.float64]  # (parameter,), in the order of the weights
Product = Callable[[Vector], Vector]

TOLERANCE = 1e-3  # relative, of the eigenvalue; about 25 products for Conv4


def product(loss: Callable[[Params], Tensor], weights: Mapping[str, Tensor]) -> Product:
    """The function v -> Hv of the loss at `weights`, in their precision.

    Where the loss has a kink (ReLU, max pooling) H is that of the smooth piece that the weights lie on.
    """
    at = {name: value.detach() for name, value in weights.items()}
    like = next(iter(at.values()))

    def multiply(v: Vector) -> Vector:
        direction = from_vector(torch.from_numpy(np.ascontiguousarray(v)).to(like), at)
        with torch.no_grad():
            image = jvp(grad(loss), (at,), (direction,))[1]
        found: Vector = to_vector(image).double().cpu().numpy()
        return found

    return multiply


def top_eigenvalue(multiply: Product, start: Vector) -> float:
    """The largest (most positive) eigenvalue, by ARPACK's Lanczos method from `start`.

    NaN where the Hessian is not finite, or where ARPACK does not converge.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    first = multiply(start)
    if not np.isfinite(first).all():
        return math.nan
    if not first.any():  # ARPACK refuses a zero matrix
        return 0.0
    operator = LinearOperator((start.size, start.size), matvec=lambda v: multiply(v.ravel()), dtype=np.float64)
    options: dict[str, Any] = {"k": 1, "which": "LA", "v0": start, "tol": TOLERANCE, "return_eigenvectors": False}
    # BLAS takes all cores unless told, and its sums change in the last bits with their number.
    with threadpool_limits(torch.get_num_threads(), user_api="blas"):
        try:
            return float(eigsh(operator, **options)[0])
        except ArpackNoConvergence:
            return math.nan


def trace(multiply: Product, probes: Iterable[Vector]) -> float:
    """The mean of v H v over probes of independent signs, which estimates the trace (Hutchinson 1989)."""
    values = [float((v * multiply(v)).sum()) for v in probes]  # not v @ Hv, which is BLAS again
    return sum(values) / len(values)
