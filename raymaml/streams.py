"""Counter-based random numbers: each draw is a pure function of its key, whoever makes it and when.

Built on the raw words of Philox (Salmon et al., SC 2011), which numpy guarantees for ever; the methods of
`numpy.random.Generator` may change between numpy versions (NEP 19) and would move every task with them.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Key = str | int


def _words(count: int, key: tuple[Key, ...]) -> npt.NDArray[np.uint64]:
    digest = hashlib.blake2b(repr(key).encode(), digest_size=16).digest()
    words: npt.NDArray[np.uint64] = np.random.Philox(key=int.from_bytes(digest, "little")).random_raw(count)
    return words


def permutation(count: int, *key: Key) -> npt.NDArray[np.int64]:
    """A uniform random order of 0..count-1, shape (count,); ties of 64-bit words do not occur in practice."""
    return np.argsort(_words(count, key), kind="stable")


def uniforms(count: int, *key: Key) -> npt.NDArray[np.float64]:
    """Independent uniform numbers in the open interval (0, 1), shape (count,)."""
    return ((_words(count, key) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normals(count: int, *key: Key) -> npt.NDArray[np.float64]:
    """Independent standard normal numbers by inversion, shape (count,)."""
    from scipy.special import ndtri

    values: npt.NDArray[np.float64] = ndtri(uniforms(count, *key))
    return values
