"""SFZ: a text that maps keys and velocities to samples, read and played without a synthesiser.

Follows the public description of the format on sfzformat.com: version 1, and what is common of version 2 and ARIA.
"""

from index.sources.sfz.source import SUFFIXES, SfzInstrument, SfzSource, sfz_files

__all__ = ["SUFFIXES", "SfzInstrument", "SfzSource", "sfz_files"]
