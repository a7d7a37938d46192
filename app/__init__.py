"""Show Me the Instruments as a service: the HTTP API, the page and the command `showme`.

Follows the HTTP contract of DESIGN.md around the retrieval of Kim et al. 2022, section 3.3; nothing happens at import.
"""
