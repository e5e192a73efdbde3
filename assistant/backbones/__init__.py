"""Encoders, writers and painters: three small protocols and the models that implement them."""
