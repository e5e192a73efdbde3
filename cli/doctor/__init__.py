"""`wetread doctor`: what is installed, where things lie, and whether the weights are whole."""
