"""Published data sets become case folders: their tables, labels, boxes and reports; no model."""
