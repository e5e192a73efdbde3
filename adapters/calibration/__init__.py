"""Risk, similarity floor and probe fitted to one's own films. It changes no encoder."""
