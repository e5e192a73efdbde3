"""Report text to assertions, and assertions to words. It knows reports, and no film."""
