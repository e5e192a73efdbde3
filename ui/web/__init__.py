"""What stands between the network and the page: hosts, login, limits, uploads, fair turns.

It knows HTTP and gradio's server, and nothing of films or reports.
"""
