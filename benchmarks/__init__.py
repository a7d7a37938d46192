"""Speed and memory of the whole service on one machine, each number in a module of its own; run by `make bench`.

The targets are those the project set itself for two CPU cores; nothing here is a test, because time is no property.
"""
