"""The Janus family: one model that encodes, writes and paints. It judges nothing it writes."""
