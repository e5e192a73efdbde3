"""The bars of the default backbone, measured on phantoms that it has never seen."""
