"""Turns report text into assertions, and assertions into words. It reads no film."""
