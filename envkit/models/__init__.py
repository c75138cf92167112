"""Models: from ``models.yaml`` to ``checkpoints/``, each proven to be the right bytes before it has its name."""
