"""From evidence to probability: what is learned from a recording, and how it is served."""
