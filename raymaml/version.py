"""The version, importable without torch or ray."""

__version__ = "0.1.0"
