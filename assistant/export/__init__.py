"""Drafts and answers as JSON, Markdown and HTML. It changes nothing of what they say."""
