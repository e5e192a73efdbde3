"""Real films to try Wetread with, and what their data set says of them; no training used them."""
