"""Tables of results, and their files as text, CSV and LaTeX."""

from raymaml.tables.accuracy import table2
from raymaml.tables.table import RENDERERS, Column, Table, as_csv, as_latex, as_text

__all__ = ["RENDERERS", "Column", "Table", "as_csv", "as_latex", "as_text", "table2"]
