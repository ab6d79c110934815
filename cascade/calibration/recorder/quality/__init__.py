"""How good an answer is: metrics that turn an answer and what is known of it into [0, 1]."""
