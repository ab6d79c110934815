"""OpenAI's formats, read and written by pure functions: no SDK, no network.

The provider, the drivers and, later, the gateway share them. One module per API; today `chat`.
"""
