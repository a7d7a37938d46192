"""SFZ: a text that maps keys and velocities to samples, read and played without a synthesiser.

Follows the description of the format on sfzformat.com: version 1 and the parts of version 2 and ARIA that change an
instrument's embedding (cosine below .98 without them).
"""
