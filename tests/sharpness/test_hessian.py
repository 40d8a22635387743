import math

import numpy as np
import pytest
import reference
import torch

from raymaml import models
from raymaml.learners import Maml
from raymaml.params import cast, to_vector
from raymaml.sharpness import hessian
from raymaml.sharpness.evaluate import problem_of
from raymaml.specs import MamlSpec, ModelSpec, TaskSpec
from raymaml.streams import normals
from raymaml.tasks import TaskSampler


@pytest.fixture(scope="module")
def params():
    return cast(models.initial_params(models.build(ModelSpec("conv4", 1, 16, 5)), 1), torch.float64)


@pytest.fixture(scope="module")
def task(images):
    return TaskSampler(images, "base", TaskSpec(5, 1, 3), seed=0, dtype=torch.float64).task(0)


def test_a_product_equals_double_backward_through_the_network_by_hand(params, task):
    problem = problem_of(models.build(ModelSpec("conv4", 1, 16, 5)), Maml(MamlSpec()), task, 0)
    v = normals(sum(p.numel() for p in params.values()), "v")
    found = hessian.product(problem.loss, params)(v)

    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    loss = reference.cross_entropy(reference.conv_net(leaves, task.query_x), task.query_y)
    first = torch.autograd.grad(loss, list(leaves.values()), create_graph=True)
    slope = torch.cat([g.flatten() for g in first]) @ torch.from_numpy(v)
    second = torch.autograd.grad(slope, list(leaves.values()), allow_unused=True, materialize_grads=True)
    expected = to_vector(dict(zip(leaves, second, strict=True))).numpy()
    assert np.linalg.norm(found - expected) < 1e-9 * np.linalg.norm(expected)


def operator(matrix):
    return lambda v: matrix @ v


def test_the_largest_eigenvalue_is_the_most_positive_one():
    q, _ = np.linalg.qr(normals(900, "q").reshape(30, 30))
    values = np.concatenate([[-50.0, 7.0], np.linspace(-1, 1, 28)])
    found = hessian.top_eigenvalue(operator(q @ np.diag(values) @ q.T), normals(30, "start"))
    assert found == pytest.approx(7.0, rel=1e-3)


def test_a_negative_definite_hessian_has_a_negative_largest_eigenvalue():
    found = hessian.top_eigenvalue(operator(np.diag(-np.arange(1.0, 31.0))), normals(30, "start"))
    assert found == pytest.approx(-1.0, rel=1e-3)


def test_a_flat_loss_has_eigenvalue_zero():
    assert hessian.top_eigenvalue(lambda v: 0 * v, normals(30, "start")) == 0.0


def test_a_hessian_that_is_not_finite_gives_nan():
    assert math.isnan(hessian.top_eigenvalue(lambda v: v * np.nan, normals(30, "start")))
    assert math.isnan(hessian.trace(lambda v: v * np.nan, [np.ones(30)]))


def test_what_does_not_converge_is_nan(monkeypatch):
    from scipy.sparse import linalg

    def give_up(*args, **options):
        raise linalg.ArpackNoConvergence("no", np.array([]), np.array([]))

    monkeypatch.setattr(linalg, "eigsh", give_up)
    assert math.isnan(hessian.top_eigenvalue(lambda v: v, normals(30, "start")))
