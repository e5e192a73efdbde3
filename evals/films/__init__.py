"""Measures of real films against their reports, labels and boxes; it makes no model and no film."""
