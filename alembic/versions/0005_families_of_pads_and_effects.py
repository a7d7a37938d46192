"""Give pads, sound effects and General MIDI's programs 104–111 their families, in the libraries enrolled before.

Revision 0005, after 0004. Until then these instruments had no family. A program of a General MIDI SoundFont decides, else the
last known word of the instrument's name in its source. What a person has corrected stays, also to no family.
"""

import re
from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# `index.families` as it was when this revision was written, as far as instruments without a family can differ.
PROGRAMS = dict.fromkeys(range(88, 104), "synth_pad") | dict.fromkeys(range(104, 108), "guitar")
PROGRAMS |= {108: "mallet", 109: "reed", 110: "string", 111: "reed"} | dict.fromkeys(
    range(120, 128), "effect"
)
PHRASES = {
    **dict.fromkeys(["lead voice"], "synth_lead"),
    **dict.fromkeys(
        ["pad choir", "new age", "poly synth", "space voice", "bowed glass", "ice rain"], "synth_pad"
    ),
    **dict.fromkeys(["fx rain", "fx echoes", "fx sci", "echo drop", "star theme"], "synth_pad"),
    **dict.fromkeys(["gun shot"], "effect"),
    **dict.fromkeys(["bag pipe"], "reed"),
}
WORDS = {
    "synth_pad": "pad polysynth sweep atmosphere atmos atmo soundtrack fantasia halo goblin crystal brightness",
    "effect": "effect fx sfx noise seashore bird tweet telephone helicopter applause gunshot thunder siren explosion laser "
    "footstep foley riser whoosh",
    "guitar": "sitar banjo shamisen koto",
    "mallet": "kalimba mbira",
    "reed": "bagpipe shanai shenai shehnai",
    "": "arp arpeggio sequence",
}
FAMILY_OF = {word: family for family, words in WORDS.items() for word in words.split()} | PHRASES
ENDINGS = {"pad": "synth_pad", "fx": "effect"}
TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
PRESET = re.compile(r"(.+)#0:(\d+)")  # of a SoundFont's bank 0
GENERAL_MIDI_PRESETS = 100


def upgrade() -> None:
    connection = op.get_bind()
    columns = "vector_id, library_id, source, coalesce(source_name, name) AS name, family, family_corrected"
    rows = connection.execute(sa.text(f"SELECT {columns} FROM instrument")).all()
    presets = {row.vector_id: found for row in rows if (found := PRESET.fullmatch(row.source))}
    sizes = Counter((row.library_id, presets[row.vector_id][1]) for row in rows if row.vector_id in presets)
    found = []
    for row in rows:
        if row.family is not None or row.family_corrected:
            continue
        preset = presets.get(row.vector_id)
        if preset and sizes[row.library_id, preset[1]] >= GENERAL_MIDI_PRESETS:
            family = PROGRAMS.get(int(preset[2]))
        else:
            family = family_of_name(row.name)
        if family:
            found.append({"id": row.vector_id, "family": family})
    if found:
        connection.execute(sa.text("UPDATE instrument SET family = :family WHERE vector_id = :id"), found)


def downgrade() -> None:
    """Take the two new families away; the others were known before."""
    op.execute("UPDATE instrument SET family = NULL WHERE family IN ('synth_pad', 'effect')")


def family_of_name(name: str) -> str | None:
    """Return the family that the last known word or pair of words tells; None when there is none."""
    tokens = [token.lower() for token in TOKEN.findall(name)]
    family, position = None, 0
    while position < len(tokens):
        pair = _known(" ".join(tokens[position : position + 2])) if position + 1 < len(tokens) else None
        word = _known(tokens[position])
        if word is None:
            word = next((known for end, known in ENDINGS.items() if tokens[position].endswith(end)), None)
        family = next((known for known in (pair, word) if known is not None), family)
        position += 1 if pair is None else 2
    return family or None


def _known(words: str) -> str | None:
    return FAMILY_OF.get(words, FAMILY_OF.get(words.removesuffix("s")))
