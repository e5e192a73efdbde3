"""Paintings: checked, marked and written. It does not know the model that painted them."""
