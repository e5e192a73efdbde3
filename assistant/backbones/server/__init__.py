"""A writer behind an OpenAI-compatible server. It loads no model."""
