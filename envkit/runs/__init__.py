"""What a run's result depends on: written down, read again, and brought back."""
