"""Describes a collection of MIDI files in lines of text: files, faults, tracks by family, phrases and sections.

The counts show how much Nlakh (section 4 of Kim et al. 2022) can be rendered from it.
"""

from collections import Counter

import numpy as np

from training.midi import MidiCollection, family_of_track
from training.phrases import PhraseBook
from training.sections import HOP_SECONDS, SectionBook

MAX_TRACKS = 9  # the paper's limit for a mixture


def describe(midi: MidiCollection) -> list[str]:
    """The lines that `showme data midi` prints."""
    kinds = Counter(reason.split(":")[0] for _, reason in midi.faults)
    families = Counter(
        family_of_track(int(program), bool(is_drum))
        for program, is_drum in zip(midi.programs, midi.is_drum, strict=True)
    )
    phrases, sections = PhraseBook(midi, drums=True), SectionBook(midi)
    able = phrases.tracks_of_family()
    reasons = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    lines = [
        f"files      {len(midi.files):>12,}",
        f"damaged    {len(midi.faults):>12,}" + (f"   ({reasons})" if reasons else ""),
        f"tracks     {len(midi.spans):>12,}",
        f"notes      {midi.num_notes:>12,}",
        f"hours      {midi.hours:>12,.1f}",
        "",
        "family           tracks   with a phrase",
        *(
            f"{family:<12} {count:>10,} {able.get(family, 0):>15,}"
            for family, count in families.most_common()
        ),
        "",
        f"sections   {sections.num_sections:>12,}   (windows of 5 s every {HOP_SECONDS:g} s, without drums)",
    ]
    several = np.zeros(MAX_TRACKS + 1, np.int64)
    for tracks, count in sections.sections_by_tracks.items():
        several[min(tracks, MAX_TRACKS)] += count
    labels = [*(f"{tracks}" for tracks in range(2, MAX_TRACKS)), f"{MAX_TRACKS}+"]
    lines += [
        f"{label + ' parts':<10} {count:>12,}" for label, count in zip(labels, several[2:], strict=True)
    ]
    return lines
