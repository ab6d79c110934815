"""Keeping traces and showing them: a store, a terminal view, log events.

Nothing is loaded until it is used: the store needs SQLAlchemy, the view rich, the events structlog.
"""
