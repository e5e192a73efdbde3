"""Speed and memory beside the peers', each pair measured in turns on the same machine.

`python -m benchmarks` runs them all; it knows every room, and no room knows it.
"""
