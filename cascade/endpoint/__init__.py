"""OpenAI's endpoints answered by chains, without any HTTP library.

What the drop-in client and the gateway share: which chain a model name stands for, what a call
asks, and how answers, streams and failures are written. All of it is pure functions of plain data.
"""
