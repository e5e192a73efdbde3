"""A backbone from scratch: its stages in order. It knows no adapter."""
