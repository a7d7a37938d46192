"""The routes of the HTTP contract, one noun per file: they parse, delegate and answer, and compute nothing.

Follows docs/ARCHITECTURE.md, section "HTTP contract".
"""
