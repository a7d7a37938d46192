"""Sources of instruments: SoundFonts, SFZ, sampled notes and folders of recordings.

`opening` opens a path by its kind. Every source follows the protocols of `base` (docs/ARCHITECTURE.md, decision 5).
"""
