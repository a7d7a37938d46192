"""What a collection of MIDI files holds, in lines of text: files, faults, tracks by family, phrases and sections.

Beside the counts of section 4 of Kim et al. 2022, which tell how much an Nlakh can be rendered from.
"""

from collections import Counter

import numpy as np

from training.midi import MidiCollection, family_of_track
from training.phrases import PhraseBook
from training.sections import HOP_SECONDS, SectionBook

MANY_PARTS = 9  # the paper's most


def describe(midi: MidiCollection) -> list[str]:
    """The lines that `python -m training.midi` prints."""
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
    several = np.zeros(MANY_PARTS + 1, np.int64)
    for parts, count in sections.sections_of_parts.items():
        several[min(parts, MANY_PARTS)] += count
    labels = [*(f"{parts}" for parts in range(2, MANY_PARTS)), f"{MANY_PARTS}+"]
    lines += [
        f"{label + ' parts':<10} {count:>12,}" for label, count in zip(labels, several[2:], strict=True)
    ]
    return lines
