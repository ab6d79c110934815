"""Plans: every choice of tiers, every combination of thresholds, the path that nothing beats."""
