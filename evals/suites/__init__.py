"""One module a suite, named as the command line names it. None has an inference path of its own."""
