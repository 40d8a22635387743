"""The command line of raymaml; installs as `raymaml_cli`."""
