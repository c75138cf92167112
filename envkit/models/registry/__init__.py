"""``models.yaml`` read, with the place of everything that is wrong with it; and its keys as JSON Schema."""
