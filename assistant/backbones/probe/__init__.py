"""Reads findings and measurements from an encoder's features, and pools them. No writer here."""
