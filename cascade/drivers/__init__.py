"""Carrying out what the decision loop asks for: sync, async, streamed, lock-step, recorded.

A driver waits and measures; it decides nothing.
"""
