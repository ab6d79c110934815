"""What-ifs: a plan on recorded answers, beside everything simpler, with intervals."""
