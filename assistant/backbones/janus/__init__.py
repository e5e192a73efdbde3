"""The Janus family: one model that encodes, writes and paints. It checks nothing it writes."""
