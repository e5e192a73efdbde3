"""Any number of films, resumable after a kill. It leaves each draft to the assistant."""
