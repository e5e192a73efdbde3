"""Speed and memory against peers, each pair measured in turns on the same machine.

`python -m benchmarks` runs all of them; it imports the other packages, and none imports it.
"""
