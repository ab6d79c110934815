"""Recordings from what exists already: traces, and tables of answers."""
