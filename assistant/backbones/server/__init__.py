"""A writer behind an OpenAI-compatible server. This package loads no model."""
