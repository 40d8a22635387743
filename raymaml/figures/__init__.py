"""Figures: functions of arrays. The only part of the package that imports matplotlib."""
