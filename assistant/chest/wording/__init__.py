"""The project's own wording of reports: phrasings of every finding, and the composer."""
