"""The genuine OpenAI SDK, answered by chains.

A client of the SDK whose transport is a cascade: whatever the SDK does with requests and replies
(parsing, streams, typed errors, raw responses) is its own code.
"""

from cascade.dropin.clients import async_openai_client, openai_client
from cascade.dropin.traces import trace_of

__all__ = ["async_openai_client", "openai_client", "trace_of"]
