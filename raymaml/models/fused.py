"""Convolution, batch normalisation, ReLU and max pooling as one operation, for the CPU and first derivatives.

A pass over activations costs as much as they are large, and the layers as torch has them make eight of them. Three
facts save most:

- Normalisation and ReLU are monotone in each channel, so pooling may come first, on what the convolution gives, and
  the rest then works on a quarter of the numbers. Where the scale (gamma) of a channel is negative its order turns
  round: its filter changes sign, which is exact in floating point, and so does the scale.
- A bias before batch statistics is subtracted again by them: it is not added, and its gradient is zero.
- Where no gradient is needed the images go through in groups whose activations stay in the processor's cache, and
  the moments of the groups are put together (Chan, Golub and LeVeque 1979).

Values and first derivatives are those of the layers but for rounding: the order of sums differs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from raymaml.models.layers import Layer, Pool
from raymaml.models.norm import EPS

CACHE_BYTES = 2 * 2**20  # of activations of a group of images: about a core's L2, 1 to 2 MiB on servers since 2017

_aten = torch.ops.aten


class FixedNorm(NamedTuple):
    """Normalisation by running statistics, each (filter,)."""

    gamma: Tensor
    beta: Tensor
    mean: Tensor
    var: Tensor


def conv_norm(x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, layer: Layer) -> Tensor:
    """One layer under the statistics of the batch.

    Args:
        x: (batch, channel, height, width), channels last.
        weight: (filter, channel, side, side).
        gamma: scale of the normalisation, (filter,).
        beta: shift of the normalisation, (filter,).
        layer: the rest.

    Returns:
        (batch, filter, height', width'), channels last.
    """
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, weight, gamma, beta)):
        found: Tensor = _ConvNorm.apply(x, weight, gamma, beta, layer)
        return found
    weight, gamma, _ = _turned(weight, gamma)
    pooled, mean, var = _pooled_in_groups(x, weight, layer)
    return _normalised(pooled, mean, var, gamma, beta, layer)


def _turned(weight: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """The same function with no negative scale: filters of negative ones are turned instead, by the signs."""
    if not gamma.min() < 0:  # NaN is not
        return weight, gamma, None
    sign = torch.where(gamma < 0, -1.0, 1.0).to(gamma)
    return weight * sign.view(-1, 1, 1, 1), gamma * sign, sign


def conv_fixed_norm(x: Tensor, weight: Tensor, bias: Tensor | None, norm: FixedNorm, layer: Layer) -> Tensor:
    """One layer under running statistics, which make it a convolution with other weights; no gradient.

    Shapes are those of `conv_norm`; `bias` is the convolution's own.
    """
    scale = norm.gamma * torch.rsqrt(norm.var + EPS)
    shift = norm.beta + ((0.0 if bias is None else bias) - norm.mean) * scale
    turned = weight * scale.view(-1, 1, 1, 1)
    parts = []
    for images in torch.split(x, _group(x, weight, layer)):
        y = F.conv2d(images, turned, shift, layer.stride, layer.padding)
        if layer.pool is not None:
            y = F.max_pool2d(y, layer.pool.side, layer.pool.stride, layer.pool.padding)
        parts.append(y.relu_() if layer.relu else y)
    return torch.cat(parts)


def _pooled_in_groups(x: Tensor, weight: Tensor, layer: Layer) -> tuple[Tensor, Tensor, Tensor]:
    """What the convolution gives, pooled, with its mean and variance per channel before pooling."""
    if layer.pool is None:
        y = _conv(x, weight, layer)
        return y, *_moments(y)
    found, moments, at = None, [], 0
    for images in torch.split(x, _group(x, weight, layer)):
        y = _conv(images, weight, layer)
        found = _room(x, y, layer.pool) if found is None else found
        _pool_into(found[at : at + len(images)], y, layer.pool)
        moments.append((*_moments(y), len(images)))
        at += len(images)
    assert found is not None
    return found, *_joined(moments)


def _group(x: Tensor, weight: Tensor, layer: Layer) -> int:
    """How many images go through together."""
    one = x.shape[2] // layer.stride * (x.shape[3] // layer.stride) * len(weight) * x.element_size()
    return max(1, CACHE_BYTES // one)


def _joined(parts: list[tuple[Tensor, Tensor, int]]) -> tuple[Tensor, Tensor]:
    if len(parts) == 1:
        return parts[0][0], parts[0][1]
    means = torch.stack([mean for mean, _, _ in parts])
    variances = torch.stack([var for _, var, _ in parts])
    share = torch.tensor([count for _, _, count in parts], dtype=means.dtype, device=means.device)[:, None]
    share = share / share.sum()
    mean = (share * means).sum(0)
    return mean, (share * (variances + (means - mean).square())).sum(0)


def _conv(x: Tensor, weight: Tensor, layer: Layer) -> Tensor:
    return F.conv2d(x, weight, None, layer.stride, layer.padding)


def _moments(y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel."""
    # torch's only kernel for moments alone also updates running ones, here of nobody.
    running = y.new_zeros(y.shape[1])
    mean, var = _aten.batch_norm_update_stats(y, running, running, 1.0)
    return mean, var


def _room(x: Tensor, y: Tensor, pool: Pool) -> Tensor:
    """For all images of x pooled, where y is what the convolution gives for some."""
    h, w = ((side + 2 * pool.padding - pool.side) // pool.stride + 1 for side in y.shape[2:])
    shape = (len(x), y.shape[1], h, w)
    return torch.empty(shape, dtype=y.dtype, device=y.device, memory_format=torch.channels_last)


def _pool_into(out: Tensor, y: Tensor, pool: Pool) -> None:
    if pool != Pool():
        out.copy_(F.max_pool2d(y, pool.side, pool.stride, pool.padding))
        return
    # Maxima of halves: 1.7 times faster than torch's pooling, which keeps indices that nobody asks for.
    h, w = y.shape[2] // 2 * 2, y.shape[3] // 2 * 2
    rows = torch.maximum(y[:, :, 0:h:2, :w], y[:, :, 1:h:2, :w])
    torch.maximum(rows[..., 0::2], rows[..., 1::2], out=out)


def _normalised(y: Tensor, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, layer: Layer) -> Tensor:
    # An infinite variance would make a layer of zeros and a finite loss: what overflows is to be NaN.
    found = F.batch_norm(y, mean + (var - var), var, gamma, beta, training=False, eps=EPS)
    return found.relu_() if layer.relu else found


class Saved(NamedTuple):
    """What the gradient of a layer needs of its forward pass, with filters and scales turned."""

    x: Tensor
    weight: Tensor
    gamma: Tensor
    sign: Tensor | None
    y: Tensor  # of the convolution; the gradient uses it up
    pooled: Tensor
    at: Tensor | None  # where in the windows the maxima are
    out: Tensor
    mean: Tensor
    var: Tensor


def forward(x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, layer: Layer) -> Saved:
    """`conv_norm`, its value being `out`, with what `backward` needs; records no graph of torch's own."""
    weight, gamma, sign = _turned(weight, gamma)
    y = _conv(x, weight, layer)
    mean, var = _moments(y)
    pooled, at = y, None
    if layer.pool is not None:
        pooled, at = _aten.max_pool2d_with_indices(y, *_window(layer.pool))
    return Saved(x, weight, gamma, sign, y, pooled, at, _normalised(pooled, mean, var, gamma, beta, layer), mean, var)


def backward(saved: Saved, grad: Tensor, layer: Layer, *, of_x: bool) -> tuple[Tensor | None, Tensor, Tensor, Tensor]:
    """The derivatives with respect to x (None unless asked for), weight, gamma and beta, from that of the value."""
    x, weight, gamma, sign, y, pooled, at, out, mean, var = saved
    grad = grad.contiguous(memory_format=torch.channels_last)
    if layer.relu:
        grad = _aten.threshold_backward(grad, out, 0)
    # A tensor of 64 numbers costs 2 to 7 us an operation, whichever; a division by a number is the dearest of them.
    invstd, share = torch.rsqrt(var + EPS), -float(y.shape[1]) / y.numel()
    d_beta = _channel_sums(grad)
    # The sum of grad * (y - mean) * invstd.
    d_gamma = torch.addcmul(_channel_sums(grad * pooled), mean, d_beta, value=-1) * invstd
    scale = gamma * invstd
    per_value = scale * share
    slope = per_value * invstd * d_gamma
    level = torch.addcmul(per_value * d_beta, slope, mean, value=-1)
    grad = grad * scale.view(-1, 1, 1)
    if layer.pool is not None:
        grad = _aten.max_pool2d_with_indices_backward(grad, y, *_window(layer.pool), [1, 1], False, at)
    grad.add_(torch.addcmul(level.view(-1, 1, 1), y, slope.view(-1, 1, 1), out=y))
    strides, paddings, wanted = [layer.stride] * 2, [layer.padding] * 2, [of_x, True, False]
    d_x, d_weight, _ = _aten.convolution_backward(
        grad, x, weight, None, strides, paddings, [1, 1], False, [0, 0], 1, wanted
    )
    if sign is not None:
        d_weight, d_gamma = d_weight * sign.view(-1, 1, 1, 1), d_gamma * sign
    return d_x, d_weight, d_gamma, d_beta


class _ConvNorm(torch.autograd.Function):
    """The layer in a graph of torch's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, layer: Layer) -> Tensor:
        saved = forward(x, weight, gamma, beta, layer)
        ctx.layer = layer
        ctx.save_for_backward(*saved)
        return saved.out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *backward(Saved(*ctx.saved_tensors), grad, ctx.layer, of_x=ctx.needs_input_grad[0]), None


def _window(pool: Pool) -> tuple[list[int], list[int], list[int]]:
    return [pool.side] * 2, [pool.stride] * 2, [pool.padding] * 2


def _channel_sums(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).sum(0)
