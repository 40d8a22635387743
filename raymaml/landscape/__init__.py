"""The plane around trained weights: directions, grid plan, evaluation, storage."""
