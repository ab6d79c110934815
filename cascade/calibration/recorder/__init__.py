"""Recording runs: every tier and every scorer of a chain on a data set, nothing paid twice."""
