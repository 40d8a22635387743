"""Slow and obvious versions of what the package computes, sharing no code with it."""

import math

import torch
from torch.nn import functional as F


def conv_net(params, x):
    """Conv4 or Conv6, written out: 3x3 convolutions, batch statistics by formula, four poolings."""
    depth = sum(name.endswith("conv.weight") for name in params)
    for i in range(depth):
        x = F.conv2d(x, params[f"blocks.{i}.conv.weight"], params[f"blocks.{i}.conv.bias"], padding=1)
        mean = x.mean(dim=(0, 2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
        x = (x - mean) / torch.sqrt(variance + 1e-5)
        x = x * params[f"blocks.{i}.norm.weight"][:, None, None] + params[f"blocks.{i}.norm.bias"][:, None, None]
        x = x.clamp(min=0)
        if i < 4:
            x = F.max_pool2d(x, 2)
    return x.reshape(len(x), -1) @ params["head.weight"].T + params["head.bias"]


def cross_entropy(logits, labels):
    """Mean negative log probability of the labels."""
    log_z = torch.logsumexp(logits, dim=1)
    return sum(log_z[i] - logits[i, labels[i]] for i in range(len(labels))) / len(labels)


def adapt(params, task, lr, steps, *, create_graph=False):
    """Gradient descent on the support set, keeping the graph back to `params`."""
    fast = dict(params)
    for _ in range(steps):
        loss = cross_entropy(conv_net(fast, task.support_x), task.support_y)
        grads = torch.autograd.grad(loss, list(fast.values()), create_graph=create_graph)
        if not create_graph:
            grads = [g.detach() for g in grads]
        fast = {name: value - lr * g for (name, value), g in zip(fast.items(), grads, strict=True)}
    return fast


def support_loss(params, task, lr, steps):
    """The loss that the inner loop descends, after it."""
    start = {name: value.clone().requires_grad_() for name, value in params.items()}
    return cross_entropy(conv_net(adapt(start, task, lr, steps), task.support_x), task.support_y).item()


def query_loss(params, task, lr, steps):
    """The loss that a landscape shows."""
    start = {name: value.clone().requires_grad_() for name, value in params.items()}
    return cross_entropy(conv_net(adapt(start, task, lr, steps), task.query_x), task.query_y).item()


def meta_gradient(params, task, lr, steps, order):
    """d query loss / d initial weights; with order 1 the inner gradients are constants."""
    start = {name: value.clone().requires_grad_() for name, value in params.items()}
    fast = adapt(start, task, lr, steps, create_graph=order == 2)
    loss = cross_entropy(conv_net(fast, task.query_x), task.query_y)
    return dict(zip(start, torch.autograd.grad(loss, list(start.values())), strict=True))


def filter_norms(weights):
    """Euclidean norm of each slice along the first axis."""
    return [math.sqrt(sum(float(v) ** 2 for v in row.flatten())) for row in weights]


def perturbed(params, directions, a, b):
    """A point of the plane."""
    first, second = directions
    return {n: params[n] + a * first[n] + b * second[n] for n in params}


def surface(params, directions, alphas, betas, tasks, lr, steps, loss=query_loss):
    """Loss[task][alpha][beta] by three plain loops: perturbed, then adapted."""
    return [
        [[loss(perturbed(params, directions, a, b), task, lr, steps) for b in betas] for a in alphas] for task in tasks
    ]


def normalised(weights, draws):
    """A raw draw whose slices are given the norms of the slices of the weights, one by one."""
    found = {}
    for name, value in weights.items():
        found[name] = torch.zeros_like(value)
        for i, row in enumerate(value if value.dim() > 1 else []):
            raw = draws[name].view(value.shape)[i]
            found[name][i] = raw * (row.norm() / raw.norm())
    return found


def surface_around_adapted(params, draws, alphas, betas, tasks, lr, steps, loss=query_loss):
    """Loss[task][alpha][beta] by three plain loops: adapted, then perturbed, and not adapted again."""
    adapted = [
        {
            n: v.detach()
            for n, v in adapt({n: v.clone().requires_grad_() for n, v in params.items()}, t, lr, steps).items()
        }
        for t in tasks
    ]
    return [
        [
            [loss(perturbed(weights, [normalised(weights, d) for d in draws], a, b), task, lr, 0) for b in betas]
            for a in alphas
        ]
        for task, weights in zip(tasks, adapted, strict=True)
    ]


def conv_features(params, x):
    """The backbone in use after training: normalised by its running statistics, flattened, without the head."""
    for i in range(sum(name.endswith("conv.weight") for name in params)):
        block = {name.removeprefix(f"blocks.{i}."): v for name, v in params.items() if name.startswith(f"blocks.{i}.")}
        x = F.conv2d(x, block["conv.weight"], block["conv.bias"], padding=1)
        mean, variance = (block[f"norm.running_{s}"][:, None, None] for s in ("mean", "var"))
        x = (x - mean) / torch.sqrt(variance + 1e-5)
        x = (x * block["norm.weight"][:, None, None] + block["norm.bias"][:, None, None]).clamp(min=0)
        if i < 4:
            x = F.max_pool2d(x, 2)
    return x.reshape(len(x), -1)


def fit_head(x, y, weight, bias, batches, *, lr=0.01, momentum=0.9, dampening=0.9, decay=0.001):
    """SGD on a linear head by formula: the gradient of cross-entropy is (softmax - one hot) x / n."""
    speed = None
    for rows in batches:
        p = torch.softmax(x[rows] @ weight.T + bias, dim=1)
        p[torch.arange(len(rows)), y[rows]] -= 1
        grads = [p.T @ x[rows] / len(rows) + decay * weight, p.mean(0) + decay * bias]
        if speed is None:
            speed = grads  # the first step is not damped
        else:
            speed = [momentum * v + (1 - dampening) * g for v, g in zip(speed, grads, strict=True)]
        weight, bias = weight - lr * speed[0], bias - lr * speed[1]
    return weight, bias
