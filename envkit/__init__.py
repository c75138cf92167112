"""envkit: a PaddlePaddle development environment whose code, image and weights are versioned together."""

__version__ = "0.1.0"
