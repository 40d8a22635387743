"""What a user can ask for, one file per verb: the CLI and `import raymaml` call the same functions."""
