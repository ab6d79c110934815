"""The demo: support tickets sorted by real language models, small ones on this machine or OpenAI's.

`data/demo/` holds the tickets, their labels and the worked examples, written for this project. The
commands show what this room computes.
"""
