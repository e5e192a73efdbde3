"""The report card: results as one HTML page. It knows their form, not how they were measured."""
