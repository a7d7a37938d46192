"""The instrument library: the sources of instruments, their storage, and retrieval among them.

Retrieval is section 3.3 of Kim et al. 2022. SQLite holds the truth; FAISS is a cache that can be rebuilt from it.
"""
