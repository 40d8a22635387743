"""Arrays, lists and dicts from pickle files of strangers. Nothing that such a file names is imported or called.

Unpickling runs whatever a file asks for, and even numpy's own types can be made to read memory that is not theirs.
So every name of numpy is answered with a type of this module, which builds a plain array of numbers from bytes.
"""

from __future__ import annotations

import pickle
import re
from typing import IO, Any, NoReturn

import numpy as np
import numpy.typing as npt

from raymaml.errors import DataError

_NUMBERS = re.compile(r"[biuf][1248]|\?")  # numpy's short names of plain numbers


def load(file: IO[bytes], where: str) -> dict[str, Any]:
    """Read a dict of arrays of numbers, numbers, text, bytes, lists and dicts; keys are text or numbers.

    Takes pickles of Python 2 and 3, of numpy before and after 2.0. Text of Python 2 comes as bytes.

    Raises:
        DataError: the file is damaged, holds no dict, or asks for anything else; nothing of it was run.
    """
    try:
        values = _plain(_Unpickler(file, encoding="bytes").load())
    except _RefusedError as error:
        raise DataError(f"{where} asks for {error}, which no data set needs: do not use this file") from None
    except Exception as error:  # a damaged pickle raises a dozen types
        raise DataError(f"{where} is damaged ({error or type(error).__name__}): get it again") from error
    if not isinstance(values, dict):
        raise DataError(f"{where} holds no dict: it is no file of this data set")
    return values


def text(value: Any) -> str:
    """Text, also where Python 2 wrote it."""
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


class _RefusedError(Exception):
    """The pickle names something that is not data."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        numpy_s = module.replace("numpy._core", "numpy.core")  # its name since numpy 2.0
        try:
            return _ANSWERS[numpy_s, name]
        except KeyError:
            raise _RefusedError(f"{module}.{name}") from None


class _Dtype:
    """In place of numpy.dtype: a plain number, in either byte order."""

    def __init__(self, name: Any, *flags: Any) -> None:
        if not _NUMBERS.fullmatch(text(name)):
            raise _RefusedError(f"an array of {text(name)!r}")
        self.dtype = np.dtype(text(name))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if text(state[1]) == ">":
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """In place of numpy's _reconstruct: the state that follows holds shape, type, order and bytes."""

    def __init__(self, *ignored: Any) -> None:
        self.values: npt.NDArray[Any] = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, kind, fortran, raw = state[-4:]
        self.values = _array(raw, kind, shape, "F" if fortran else "C")


def _array(raw: Any, kind: _Dtype, shape: Any, order: Any) -> npt.NDArray[Any]:
    return np.frombuffer(raw, kind.dtype).reshape(shape, order=text(order))  # type: ignore[call-overload, no-any-return]


def _scalar(kind: _Dtype, raw: bytes) -> Any:
    return np.frombuffer(raw, kind.dtype)[0]


def _buffer(raw: Any, kind: _Dtype, shape: Any, order: Any, *axes: Any) -> npt.NDArray[Any]:
    return _array(raw, kind, shape, order)


def _encode(value: str, codec: Any) -> bytes:
    """In place of _codecs.encode, by which Python 3 writes bytes for Python 2."""
    if text(codec) != "latin1":
        raise _RefusedError(f"the codec {text(codec)!r}")
    return value.encode("latin1")


def _no_bytes() -> bytes:
    """In place of bytes(), by which Python 3 writes b"" for Python 2."""
    return b""


def _type(*ignored: Any) -> NoReturn:
    raise _RefusedError("numpy.ndarray()")


_ANSWERS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _buffer,
    ("numpy", "ndarray"): _type,  # an argument of _reconstruct; no data set calls it
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
    ("builtins", "bytes"): _no_bytes,
}


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, dict):
        return {k if isinstance(k, int) else text(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
