"""Ingest into and search of the library of cases by findings. It never takes an Assistant."""
