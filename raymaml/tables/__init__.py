"""Tables of results, and their files as text, CSV and LaTeX."""

from raymaml.tables.accuracy import table2
from raymaml.tables.correlation import correlation_table, table3, table4
from raymaml.tables.settings import settings_table
from raymaml.tables.sharpness import sharpness_table
from raymaml.tables.table import RENDERERS, Column, Table, as_csv, as_latex, as_text

__all__ = [
    "RENDERERS",
    "Column",
    "Table",
    "as_csv",
    "as_latex",
    "as_text",
    "correlation_table",
    "settings_table",
    "sharpness_table",
    "table2",
    "table3",
    "table4",
]
