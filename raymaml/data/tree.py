"""The files of a data set, in a folder or in a zip, and none outside of it."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from raymaml.errors import DataError, MissingError

TAR_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
DAMAGE = (OSError, RuntimeError, EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile)  # what zipfile raises
LARGEST = 64 * 2**20  # bytes of one picture: more is no picture but a zip bomb or a mistake


class Tree(Protocol):
    """Where the files are."""

    root: Path

    def names(self) -> list[str]:
        """The paths of all files relative to the root, with forward slashes, sorted."""
        ...

    def size(self, name: str) -> int:
        """The bytes that a file has; DataError where that cannot be said."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of one picture or list; DataError where it cannot be read or leaves the root."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """A file to read piece by piece, as large as it may be; DataError as for `read`."""
        ...


def open_tree(root: Path) -> Tree:
    """Open a folder or a zip file.

    Raises:
        MissingError: there is neither at `root`.
        DataError: the zip is damaged, or a path in it leaves it, or it is a tar file.
    """
    root = root.expanduser().absolute()
    if root.is_dir():
        return Folder(root)
    if root.is_file() and root.name.endswith(TAR_SUFFIXES):
        raise DataError(f"{root} is a tar file: unpack it first (tar xf {root.name}) and give --root the folder")
    if root.is_file():
        return Zip(root)
    raise MissingError(f"{root} is not there: --root needs the folder or the zip file of the data set")


class Folder:
    """The files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root, self._real = root, root.resolve()

    def names(self) -> list[str]:
        """The paths of all files; hidden ones, which tools leave behind, are no part of a set."""
        found = []
        for folder, below, files in os.walk(self.root):
            below[:] = [name for name in below if not name.startswith(".")]
            found += [Path(folder, name).relative_to(self.root).as_posix() for name in files if name[0] != "."]
        return sorted(found)

    def size(self, name: str) -> int:
        """The bytes that a file has."""
        try:
            return (self.root / name).stat().st_size
        except OSError as error:
            raise self._unreadable(name, error) from error

    def read(self, name: str) -> bytes:
        """The bytes of one file; a link that leads out of the root is refused."""
        with self.open(name) as file:
            try:
                return file.read()
            except OSError as error:
                raise self._unreadable(name, error) from error

    def open(self, name: str) -> IO[bytes]:
        """A file to read piece by piece; a link that leads out of the root is refused."""
        path = (self.root / name).resolve()
        if not path.is_relative_to(self._real):
            raise DataError(f"{self.root / name} leads out of {self.root}: put the file itself there")
        if path.exists() and not path.is_file():  # a pipe would be waited on for ever
            raise DataError(f"{self.root / name} cannot be read: it is no file")
        try:
            return path.open("rb")
        except OSError as error:
            raise self._unreadable(name, error) from error

    def _unreadable(self, name: str, error: OSError) -> DataError:
        return DataError(f"{self.root / name} cannot be read: {error.strerror}")


class Zip:
    """The files in a zip, read in place: nothing is unpacked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            self._zip = zipfile.ZipFile(root)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{root} cannot be read as a zip file ({error}): get it again") from error
        self._files = {item.filename: item for item in self._zip.infolist() if not item.is_dir()}
        outside = next((name for name in self._files if _leaves_root(name)), None)
        if outside is not None:
            raise DataError(f"{root} holds the path {outside!r}, which leaves the zip: do not use this file")

    def names(self) -> list[str]:
        """The paths of all files but hidden ones and those that macOS adds."""
        parts = {name: PurePosixPath(name).parts for name in self._files}
        return sorted(n for n, p in parts.items() if p[0] != "__MACOSX" and not any(q.startswith(".") for q in p))

    def read(self, name: str) -> bytes:
        """The bytes of one file, whose checksum zipfile checks."""
        if self._files[name].file_size > LARGEST:
            raise DataError(f"{name} in {self.root} is larger than {LARGEST >> 20} MiB: no picture of a data set")
        try:
            return self._zip.read(name)
        except DAMAGE as error:
            raise self._unreadable(name, error) from error

    def size(self, name: str) -> int:
        """The bytes that a file has once unpacked."""
        return self._files[name].file_size

    def open(self, name: str) -> IO[bytes]:
        """A file to read piece by piece."""
        try:
            return self._zip.open(name)
        except DAMAGE as error:
            raise self._unreadable(name, error) from error

    def _unreadable(self, name: str, error: Exception) -> DataError:
        return DataError(f"{name} in {self.root} cannot be read ({error}): get the zip again")


def _leaves_root(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]
