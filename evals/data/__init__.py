"""The films, reports and libraries that all suites share. It scores nothing."""
