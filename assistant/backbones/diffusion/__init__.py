"""A diffusers pipeline as a painter. It knows nothing of the content of a film."""
