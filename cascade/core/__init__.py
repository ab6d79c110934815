"""The room that decides: pure values and one generator; no clock, no network, no await."""
