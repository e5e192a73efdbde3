"""Fits the risk, the similarity floor and the probe to the user's films. It changes no encoder."""
