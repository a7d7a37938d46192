"""Productions: fifteen to thirty seconds of multi-track MIDI with drums, played, mixed and mastered, their truth known.

`docs/DATA.md` describes them. Kim et al. 2022 (section 6) ask for such data; `training/nlakh/` renders dry mixtures.
"""
