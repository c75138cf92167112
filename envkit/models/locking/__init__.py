"""``models.lock.yaml``: what every entry of the registry comes to."""
