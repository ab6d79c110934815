"""The room's front: the two clients that carry out model calls, under the names callers know.

Both send through the SDK's `post` and read the raw response: the body goes out as it is (unknown
keys pass through), no model is built per token, and every byte that came is accounted for.
"""

from cascade.provider.asynchronous import AsyncOpenAIModels
from cascade.provider.synchronous import OpenAIModels

__all__ = ["AsyncOpenAIModels", "OpenAIModels"]
