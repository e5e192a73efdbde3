"""The commands of `wetread`, by what they work on."""
