"""Attacks on the promises of docs/RELIABILITY.md: `python -m tests.torture` (`make torture`) runs them and prints one table."""
