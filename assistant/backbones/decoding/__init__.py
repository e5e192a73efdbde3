"""Token by token: KV cache, sampling, the layers of a decoder. It knows no film and no report."""
