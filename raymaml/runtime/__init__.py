"""Where work runs: the only part of the package that imports ray. It adds *where*, never *what*."""
