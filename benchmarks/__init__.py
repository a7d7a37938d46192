"""Speed and memory of the whole project on one machine, beside the targets set for two CPU cores (`make bench`).

Nothing here is a test: time depends on the machine.
"""
