"""The instrument library: where instruments come from, how they are kept, and how they are found again.

Section 3.3 of Kim et al. 2022 is the search; SQLite holds the truth and FAISS a cache that can be rebuilt from it.
"""
