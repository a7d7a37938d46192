"""A folder of recordings as a source: each sub-folder and each audio file beside them is one instrument.

Enrollment takes the first windows of files spread over the instrument, as section 5.1 of Kim et al. 2022 takes several
samples of an instrument.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np

from index.families import family_of_name
from index.sources.base import MAX_PREVIEW_SECONDS, Floats, finish_preview, is_silent
from index.sources.ids import instrument_ids
from index.sources.licences import licence_beside
from index.sources.sampled import (
    InstrumentIdentity,
    SampledInstrument,
    SampledNote,
    TranspositionLimits,
)
from models.audio import decode, split_windows
from models.errors import AudioError, SourceError

AUDIO_SUFFIXES = (".wav", ".aif", ".aiff", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".mp4")
MAX_CLIPS = 16  # per instrument
PREVIEW_SAMPLE_RATE = 44_100

ONE_SHOT_RATE = 44_100
LONGEST_ONE_SHOT_SECONDS = 12.0  # a longer file is a loop or a performance
ONE_SHOT_VELOCITY = 100  # that a sample is taken to be played with
FIFTH_SEMITONES = 7.0  # that a sample is transposed by at most

PitchOf = Callable[
    [Floats, int], float | None
]  # (samples [n], sample_rate) → MIDI pitch of a single note, else None
DecodeStart = Callable[[Path, int, float], Floats]  # (path, sample_rate, seconds) → [samples]

_SPARE_WINDOWS = 2  # windows decoded for each one needed, since some are silent
_PREVIEW_FILES = 4
_PREVIEW_GAP_SECONDS = 0.05


class FolderInstrument:
    """One instrument made of audio files in order; it plays no notes."""

    playable_range: tuple[int, int] | None = None

    def __init__(
        self,
        key: str,
        name: str,
        files: Sequence[Path],
        source: str,
        licence: str | None,
        decode_start: DecodeStart,
    ) -> None:
        self.id = key
        self.name = name
        self.licence = licence
        self.family = family_of_name(name)
        self.source = source
        self.files = tuple(files)
        self._decode_start = decode_start
        self._faults: dict[str, str] = {}

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._faults.items())

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """Return up to 16 sounding windows `[n, clip_samples]`, the first of each file before the second of any.

        Raises SourceError with each file's reason if none has one; files that fail beside others become `faults`.
        """
        wanted = -(-MAX_CLIPS // len(self.files))
        windows_of_file: list[list[Floats]] = []
        num_clips = 0
        for path in _spread(self.files):
            windows = self._windows(path, sample_rate, clip_samples, wanted * _SPARE_WINDOWS)
            windows_of_file.append(windows)
            num_clips += min(wanted, len(windows))
            if num_clips >= MAX_CLIPS:
                break
        by_round = [window for row in zip_longest(*windows_of_file) for window in row if window is not None]
        if not by_round:
            reasons = "; ".join(f"{file}: {reason}" for file, reason in self.faults[:3])
            raise SourceError(f"{self.name} has no usable audio ({reasons})", value=self.source)
        return np.stack(by_round[:MAX_CLIPS])

    def preview(self) -> tuple[Floats, int]:
        """Join the beginnings of the first sounding files: mono `[n]` at 44.1 kHz, at most 6 s."""
        parts: list[Floats] = []
        left = MAX_PREVIEW_SECONDS
        for path in self.files:
            if left < 0.5 or len(parts) == 2 * _PREVIEW_FILES:
                break
            samples = self._decode(path, PREVIEW_SAMPLE_RATE, left)
            if samples is None or is_silent(samples):
                continue
            parts += [finish_preview(samples, PREVIEW_SAMPLE_RATE), _gap()]
            left -= len(samples) / PREVIEW_SAMPLE_RATE + _PREVIEW_GAP_SECONDS
        if not parts:
            raise SourceError(f"{self.name} is silent or cannot be decoded", value=self.source)
        return finish_preview(np.concatenate(parts[:-1]), PREVIEW_SAMPLE_RATE), PREVIEW_SAMPLE_RATE

    def one_shots(self, pitch_of: PitchOf) -> SampledInstrument:
        """Return the instrument as one that plays notes: its files of a single note each, by their pitch.

        Sixteen files at most, spread over the instrument, are listened to. A note is the nearest file, transposed by a fifth
        at most. Raises SourceError, with the reasons, if no file is such a note.
        """
        found: list[tuple[float, Path, Floats]] = []
        reasons: dict[str, str] = {}
        for path in _spread(self.files)[:MAX_CLIPS]:
            samples = self._decode(path, ONE_SHOT_RATE, LONGEST_ONE_SHOT_SECONDS + 1.0)
            if samples is None or is_silent(samples):
                reasons[path.name] = self._faults.get(path.name, "silent")
            elif len(samples) > LONGEST_ONE_SHOT_SECONDS * ONE_SHOT_RATE:
                reasons[path.name] = f"longer than {LONGEST_ONE_SHOT_SECONDS:g} s"
            elif (pitch := pitch_of(samples, ONE_SHOT_RATE)) is None:
                reasons[path.name] = "not a single note"
            else:
                found.append((pitch, path, samples))
        if not found:
            told = "; ".join(f"{name}: {reason}" for name, reason in list(reasons.items())[:3])
            raise SourceError(f"no sample of {self.name} is a single note ({told})", value=self.source)
        notes = [SampledNote(pitch, ONE_SHOT_VELOCITY, path.name) for pitch, path, _ in found]
        identity = InstrumentIdentity(self.id, self.name, self.family, self.source, self.licence)
        return SampledInstrument(
            identity,
            notes,
            lambda number: (found[number][2].copy(), ONE_SHOT_RATE),
            TranspositionLimits(FIFTH_SEMITONES, FIFTH_SEMITONES, velocity_cost=0.0),
            tuple(reasons.items()),
        )

    def _windows(self, path: Path, sample_rate: int, clip_samples: int, limit: int) -> list[Floats]:
        """Return the sounding windows among the file's first `limit`, without overlap."""
        samples = self._decode(path, sample_rate, limit * clip_samples / sample_rate)
        if samples is None:
            return []
        windows, _ = split_windows(samples, clip_samples=clip_samples, hop_samples=clip_samples)
        sounding = [window for window in windows if not is_silent(window)]
        if not sounding:
            self._faults[path.name] = "silent"
        return sounding

    def _decode(self, path: Path, sample_rate: int, seconds: float) -> Floats | None:
        try:
            return self._decode_start(path, sample_rate, seconds)
        except (AudioError, OSError) as error:
            self._faults[path.name] = str(error)
            return None


def decode_here(path: Path, sample_rate: int, seconds: float) -> Floats:
    """Decode the beginning of a file in this process."""
    return decode(path, sample_rate=sample_rate, end_seconds=seconds, name=path.name).samples


class _FolderEntry(NamedTuple):
    """The path, name and audio files of one instrument: a sub-folder or a single file."""

    path: Path
    name: str
    files: list[Path]


class FolderSource:
    """The instruments of a folder, or the one instrument of a single audio file."""

    def __init__(self, path: Path, decode_start: DecodeStart = decode_here, num_readers: int = 1) -> None:
        """`num_readers` may render its instruments at once. Raises SourceError if `path` holds no readable audio file."""
        self.num_readers = num_readers
        self._decode_start = decode_start
        self.name = path.stem if path.is_file() else path.resolve().name
        self._path = path
        faults: list[tuple[str, str]] = []
        entries = list(_entries(path, faults))
        self.faults = tuple(faults)
        if not entries:
            reasons = "".join(f"; {what}: {reason}" for what, reason in faults[:3])
            raise SourceError(
                f"{path.name} holds no audio files{reasons}", value=path.name, limit=" ".join(AUDIO_SUFFIXES)
            )
        named = (("" if entry.path == path else entry.name, entry.path.name) for entry in entries)
        self._entries = dict(zip(instrument_ids(self.name, named), entries, strict=True))

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(sorted(file for entry in self._entries.values() for file in entry.files))

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[FolderInstrument]:
        return map(self.get, self._entries)

    def get(self, key: str) -> FolderInstrument:
        """Return the instrument of an id, not yet decoded. Raises SourceError if there is none."""
        if key not in self._entries:
            raise SourceError(f"no instrument {key} in {self.name}", value=key)
        path, name, files = self._entries[key]
        source = path.name if path == self._path else f"{self.name}/{path.name}"
        licence = licence_beside(path, self._path)
        return FolderInstrument(key, name, files, source, licence, self._decode_start)


def is_audio_file(path: Path) -> bool:
    """Return whether the path is a file with an audio suffix; hidden files are not."""
    return _is_named_as_audio(path) and path.is_file()


def _is_named_as_audio(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")


def _entries(path: Path, faults: list[tuple[str, str]]) -> Iterator[_FolderEntry]:
    if path.is_file():
        yield _FolderEntry(path, path.stem, [path])
        return
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}", value=path.name) from error
    for entry in entries:
        if is_audio_file(entry):
            yield _FolderEntry(entry, entry.stem, [entry])
        elif entry.is_dir() and not entry.name.startswith((".", "__MACOSX")):
            if files := audio_files(entry, faults):
                yield _FolderEntry(entry, entry.name, files)
        elif _is_named_as_audio(entry):
            faults.append((entry.name, "cannot be read: a broken link or not a file"))


def audio_files(folder: Path, faults: list[tuple[str, str]]) -> list[Path]:
    """Return the audio files in a folder and below, sorted; unreadable ones are added to `faults`."""

    def note(error: OSError) -> None:
        faults.append((Path(error.filename).name, f"cannot be read: {error.strerror}"))

    found = []
    for place, _, names in os.walk(folder, onerror=note):
        for path in (Path(place) / name for name in names):
            if is_audio_file(path):
                found.append(path)
            elif _is_named_as_audio(path):
                faults.append((path.relative_to(folder.parent).as_posix(), "cannot be read: a broken link"))
    return sorted(found)


def _spread(files: Sequence[Path]) -> list[Path]:
    """Return all files, sixteen evenly spread ones first, so that enrollment covers a sampled instrument's range."""
    if len(files) <= MAX_CLIPS:
        return list(files)
    chosen = np.linspace(0, len(files) - 1, MAX_CLIPS).round().astype(int).tolist()
    return [files[i] for i in chosen] + [file for i, file in enumerate(files) if i not in set(chosen)]


def _gap() -> Floats:
    return np.zeros(int(_PREVIEW_GAP_SECONDS * PREVIEW_SAMPLE_RATE), np.float32)
