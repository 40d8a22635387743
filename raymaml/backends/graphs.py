"""CUDA graphs: a whole adapt-and-score step recorded once and replayed, without a launch per kernel.

Not run where this was written, which had no GPU: the CPU tests cover the functions that are captured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from raymaml.backends.base import Function
from raymaml.backends.together import Grouped

WARM_UP = 3  # runs before the capture, so that libraries have their workspaces (torch.cuda.graphs documentation)


@dataclass(frozen=True)
class Graphed(Grouped):
    """The grouped layers under a CUDA graph: a few-shot task is small, and a GPU waits for its launches."""

    name: str = "graph"

    def runs(self, model: nn.Module, device: torch.device) -> bool:
        """As `Grouped`, on CUDA."""
        return device.type == "cuda" and super().runs(model, device)

    def prepared(self, function: Function) -> Function:
        """The function, recorded at its first call with inputs of some shapes and replayed at later ones."""
        recorded: dict[Any, Callable[[list[Tensor]], Any]] = {}

        def call(*inputs: Any) -> Any:
            tensors, tree = tree_flatten(inputs)
            key = (str(tree), *((t.shape, t.dtype) for t in tensors))
            if key not in recorded:
                recorded[key] = _recorded(lambda own: function(*tree_unflatten(own, tree)), tensors)
            return recorded[key](tensors)

        return cast(Function, call)


def _recorded(function: Callable[[list[Tensor]], Any], inputs: list[Tensor]) -> Callable[[list[Tensor]], Any]:
    """Capture the function on copies of the inputs; what it gives then is a fresh copy at each call."""
    own = [t.clone() for t in inputs]
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            function(own)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = function(own)
    outputs, tree = tree_flatten(found)

    def replay(tensors: list[Tensor]) -> Any:
        for mine, given in zip(own, tensors, strict=True):
            mine.copy_(given)
        graph.replay()
        return tree_unflatten([t.clone() for t in outputs], tree)

    return replay
