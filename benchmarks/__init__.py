"""Measurements on this machine, printed and never asserted: what they are of is in their names."""
