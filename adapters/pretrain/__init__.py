"""A backbone trained from scratch, stage by stage. It knows no adapter."""
