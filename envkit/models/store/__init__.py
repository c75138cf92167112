"""The bytes of all models, once each, by what they are; ``checkpoints/`` shows them under plain names."""
