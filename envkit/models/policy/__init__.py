"""Which branch takes what, and which branch this is."""
