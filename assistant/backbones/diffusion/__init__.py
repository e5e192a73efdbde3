"""A diffusers pipeline as a painter. It knows nothing of what a film shows."""
