"""Decoding of files that strangers send, in worker processes with limits: `workers.py` is the door.

`worker.py` is the child, `sandbox.py` what it may not do, `channel.py` the protocol between the two.
"""
