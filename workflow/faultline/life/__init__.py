"""A life of many cycles: what a cycle leaves to the next, and how cycles are passed over."""
