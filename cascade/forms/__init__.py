"""The shapes in which OpenAI's APIs take a request: reading them, and turning one into the other.

Plain dicts in, plain dicts out: the lowest room, so that deciding, budgets and providers read a
request the same way. Replies and streams are `cascade.wire`'s.
"""
