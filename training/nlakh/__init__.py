"""Nlakh-single and Nlakh-multi: render them from any notes and any MIDI, read them back, check them.

Section 4 of Kim et al. 2022 is the specification; `docs/DATA.md` describes the two layouts on disk.
"""
