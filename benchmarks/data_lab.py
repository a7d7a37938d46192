"""Input for the data benchmarks: MIDI files of composed phrases, and presets of the default library as sampled notes.

The notes are stored like NSynth (Engel et al. 2017: pitches 21…108, five velocities, 4 s at 16 kHz), so that the benchmarks
need no downloads. The user may give folders of real notes and MIDI files in addition.
"""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import mido
import numpy as np
import soundfile

from index.families import family_of_program
from index.sources.base import Floats, Note
from index.sources.default import default_soundfont
from index.sources.note_bank import INDEX, SLOT_NOTES, SLOT_SECONDS
from index.sources.note_files import SOUNDING_PEAK
from index.sources.nsynth import AUDIO, EXAMPLES
from index.sources.soundfont import SoundFontPlayer
from models.front_end import FrontEndConfig
from training.compose import compose
from training.phrases import PHRASE_SECONDS

SEED = 0
SAMPLE_RATE = FrontEndConfig().sample_rate
# General MIDI programs, two per family; each answers every key
PROGRAMS = (0, 4, 9, 11, 16, 19, 24, 27, 32, 33, 40, 48, 52, 53, 56, 60, 66, 71, 72, 73, 80, 81)
PITCHES = range(21, 109)
VELOCITIES = (25, 50, 75, 100, 127)
NOTE_SECONDS, HELD_SECONDS = 4.0, 3.0
BANK_HELD_SECONDS = 2.2
MIDI_FILES, PHRASES_A_TRACK, TRACKS = 60, 16, (3, 10)
TICKS_A_BEAT, TICKS_A_SECOND = 480, 960  # at 120 beats a minute


class DataLab:
    """Makes each input on first use; `given_…` are the user's own folders."""

    def __init__(self, folder: Path, given_notes: Path | None = None, given_midi: Path | None = None) -> None:
        self.given_notes, self.given_midi = given_notes, given_midi
        self._folder = folder

    @property
    def midi_name(self) -> str:
        """Describes the MIDI files in the details of a measurement."""
        return "MIDI of --midi" if self.given_midi else "composed MIDI"

    def midi(self) -> Path:
        """Folder of the given MIDI files, or of sixty files with three to nine tracks of composed phrases, 80 s each."""
        if self.given_midi:
            return self.given_midi
        folder = self._folder / "midi"
        if not folder.exists():
            folder.mkdir()
            generator = np.random.default_rng(SEED)
            for number in range(MIDI_FILES):
                _write_song(folder / f"{number:03d}.mid", generator)
        return folder

    def nsynth(self) -> Path:
        """Folder in the layout of NSynth: 22 instruments, two per family, 440 notes each (1.2 GB)."""
        folder = self._folder / "nsynth-train"
        if not folder.exists():
            (folder / AUDIO).mkdir(parents=True)
            player = SoundFontPlayer(default_soundfont(), SAMPLE_RATE)
            rows = {name: row for program in PROGRAMS for name, row in _write_notes(folder, player, program)}
            (folder / EXAMPLES).write_text(json.dumps(rows))
        return folder

    def nsynth_large(self) -> Path:
        """The notes of `nsynth` under six names each: 132 instruments, more than one block of mixtures opens at once."""
        return self._linked("nsynth-train-large", copies=6, step=1)

    def nsynth_small(self) -> Path:
        """The notes of four instruments of `nsynth`."""
        return self._linked("nsynth-train-small", copies=1, step=6)

    def _linked(self, name: str, *, copies: int, step: int) -> Path:
        """Hard-links every `step`-th instrument of `nsynth` under `copies` names."""
        source, folder = self.nsynth(), self._folder / name
        if not folder.exists():
            (folder / AUDIO).mkdir(parents=True)
            rows = json.loads((source / EXAMPLES).read_text())
            kept = set(sorted({row["instrument_str"] for row in rows.values()})[::step])
            linked = {}
            for (note, row), copy in product(rows.items(), range(copies)):
                if row["instrument_str"] in kept:
                    instrument = f"{row['instrument_str']}{copy:02d}"
                    link = f"{instrument}-{note.split('-', 1)[1]}"
                    (folder / AUDIO / f"{link}.wav").hardlink_to(source / AUDIO / f"{note}.wav")
                    linked[link] = row | {"instrument_str": instrument, "note_str": link}
            (folder / EXAMPLES).write_text(json.dumps(linked))
        return folder

    def note_bank(self) -> Path:
        """Folder in the layout of a note bank: the presets of `nsynth`, eight notes each."""
        folder = self._folder / "bank"
        if not folder.exists():
            folder.mkdir()
            player = SoundFontPlayer(default_soundfont(), SAMPLE_RATE)
            rows = [_write_slots(folder, player, program) for program in PROGRAMS]
            (folder / INDEX).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder


def _write_song(path: Path, generator: np.random.Generator) -> None:
    """Write one track per program; tracks begin together, and no program occurs twice in a song."""
    midi = mido.MidiFile(ticks_per_beat=TICKS_A_BEAT)
    programs = generator.choice(PROGRAMS, generator.integers(*TRACKS), replace=False)
    for number, program in enumerate(programs.tolist()):
        channel = number if number < 9 else number + 1  # the tenth channel plays drums
        track = mido.MidiTrack([mido.Message("program_change", channel=channel, program=program)])
        now = 0
        for tick, pitch, velocity in _events(generator):
            kind = "note_on" if velocity else "note_off"
            track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
            now = tick
        midi.tracks.append(track)
    midi.save(path)


def _events(generator: np.random.Generator) -> list[tuple[int, int, int]]:
    """(tick, pitch, velocity) of consecutive phrases in time order; velocity 0 ends a note."""
    events = []
    for number in range(PHRASES_A_TRACK):
        for note in compose(generator):
            pitch = min(max(note.pitch, 0), 127)
            start, end = (
                round((number * PHRASE_SECONDS + seconds) * TICKS_A_SECOND)
                for seconds in (note.start_seconds, note.end_seconds)
            )
            events += [(start, pitch, note.velocity), (max(start + 1, end), pitch, 0)]
    return sorted(events, key=lambda event: (event[0], event[2] > 0))


def _write_notes(
    folder: Path, player: SoundFontPlayer, program: int
) -> Iterator[tuple[str, dict[str, object]]]:
    """Write the audible notes of a preset like NSynth; yields each note's name and row."""
    family = family_of_program(program)
    instrument = f"{family}_synthetic_{program:03d}"
    for pitch in PITCHES:
        for velocity in VELOCITIES:
            note = Note(pitch, velocity, 0.0, HELD_SECONDS)
            samples = _fitted(player.play(0, program, (note,), NOTE_SECONDS))
            if np.abs(samples).max() < SOUNDING_PEAK:
                continue
            name = f"{instrument}-{pitch:03d}-{velocity:03d}"
            soundfile.write(folder / AUDIO / f"{name}.wav", samples, SAMPLE_RATE, subtype="PCM_16")
            row = {"note_str": name, "instrument_str": instrument, "instrument_family_str": family}
            yield name, row | {"pitch": pitch, "velocity": velocity, "sample_rate": SAMPLE_RATE}


def _write_slots(folder: Path, player: SoundFontPlayer, program: int) -> dict[str, object]:
    """Write the eight notes of a preset into one file; returns its row of the index."""
    key = f"preset_{program:03d}"
    slots = [
        _fitted(player.play(0, program, (Note(pitch, velocity, 0.0, BANK_HELD_SECONDS),), SLOT_SECONDS))
        for pitch, velocity in SLOT_NOTES
    ]
    path = folder / f"{key}.ogg"
    soundfile.write(path, np.concatenate(slots), SAMPLE_RATE, format="OGG", subtype="VORBIS")
    peaks = [float(np.abs(slot).max()) for slot in slots]
    row: dict[str, object] = {"id": key, "file": path.name, "source": "benchmark", "name": key}
    return row | {"gm_program": program, "family": family_of_program(program), "peaks": peaks}


def _fitted(samples: Floats) -> Floats:
    """Scale samples beyond full scale down to it; a few presets clip at high velocities."""
    return np.asarray(samples / max(1.0, float(np.abs(samples).max())), np.float32)
