"""Hostile files by the thousand, decoded as the service decodes them: `python -m tests.fuzz`."""
