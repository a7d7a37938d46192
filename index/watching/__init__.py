"""Watched folders: a library follows a folder of samples, from a look at its files to the changes of its instruments."""
