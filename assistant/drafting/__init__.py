"""Drafts: written, scheduled, checked and reviewed. The rules of evidence judge, not this."""
