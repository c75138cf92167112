"""A change of the registry, as its reviewer has to see it: what changed, whether it is worse, and who would feel it."""
