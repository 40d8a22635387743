"""`python -m raymaml_cli`, and `python -m cli` from the repository root."""

from .app import main

main()
