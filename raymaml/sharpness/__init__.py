"""Sharpness of the meta-loss: how much it rises under a small perturbation of the initialisation."""
