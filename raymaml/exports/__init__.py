"""Surfaces in the file formats of other programs: arrays in, one file out, whole or not at all."""
