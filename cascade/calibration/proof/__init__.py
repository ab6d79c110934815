"""The promise: splits, exact and betting tests, attempts, certificates."""
