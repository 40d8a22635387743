"""Surfaces that several tests draw."""

import numpy as np

TITLE = (
    "MAML Conv4 on glyphs, seed 5 · novel split, 25 tasks (5-way 1-shot, 15 queries per class)\n"
    "query loss after 10 inner steps (lr 0.1) from the perturbed initialisation\n"
    "filter-normalised random directions, seed 0"
)
AXIS = np.linspace(-1, 1, 11)


def bowl(n=11, m=None):
    x, y = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, m or n), indexing="ij")
    return 0.25 + x**2 + 0.5 * y**2 + 0.1 * np.sin(5 * x)
