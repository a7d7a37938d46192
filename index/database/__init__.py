"""The databases that can hold the catalogue: each begins transactions, waits, checks itself and fails in its own way."""
