"""The library of cases seen by its findings: ingest and search. It never takes an Assistant."""
