"""Who may do what: access keys, the sessions of browsers, what scopes allow, and whose libraries and queries are whose.

`gate.py` asks every request who it is before its body is read; `ownership.py` alone decides what a caller sees and changes.
"""
