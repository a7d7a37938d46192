"""Nlakh-single and Nlakh-multi: rendering them from any notes and any MIDI, reading them back, and checking them.

Section 4 of Kim et al. 2022 is the specification; `docs/DATA.md` describes the two layouts on disk.
"""
