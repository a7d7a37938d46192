"""A folder of recordings as a source: each sub-folder is one instrument, and each audio file beside them is one.

Enrollment takes the first windows of each file, spread over the files, as section 5.1 of Kim et al. 2022 takes several
samples of an instrument.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from index.families import family_of_name
from index.sources.base import MAX_PREVIEW_SECONDS, Floats, finish_preview, is_silent
from models.audio import decode, split_windows
from models.errors import AudioError, SourceError

AUDIO_SUFFIXES = (".wav", ".aif", ".aiff", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".mp4")
MAX_CLIPS = 16  # an instrument
PREVIEW_SAMPLE_RATE = 44_100

_SPARE_WINDOWS = 2  # windows decoded for one wanted, since some are silent
_PREVIEW_FILES = 4
_PREVIEW_GAP_SECONDS = 0.05


class FolderInstrument:
    """One instrument: the audio files that make it up, in order."""

    def __init__(self, name: str, files: Sequence[Path], source: str) -> None:
        self.name = name
        self.family = family_of_name(name)
        self.source = source
        self._files = list(files)
        self._faults: dict[str, str] = {}

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._faults.items())

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """Up to 16 sounding windows `[n, clip_samples]`, the first of each file before the second of any.

        Raises SourceError when no file gives one, with the reason of each; files that fail beside others are `faults`.
        """
        wanted = -(-MAX_CLIPS // len(self._files))
        windows_of_file: list[list[Floats]] = []
        num_clips = 0
        for path in _spread(self._files):
            windows = self._windows(path, sample_rate, clip_samples, wanted * _SPARE_WINDOWS)
            windows_of_file.append(windows)
            num_clips += min(wanted, len(windows))
            if num_clips >= MAX_CLIPS:
                break
        by_round = [window for row in zip_longest(*windows_of_file) for window in row if window is not None]
        if not by_round:
            reasons = "; ".join(f"{file}: {reason}" for file, reason in self.faults[:3])
            raise SourceError(f"{self.name} has no audio that can be used ({reasons})", value=self.source)
        return np.stack(by_round[:MAX_CLIPS])

    def preview(self) -> tuple[Floats, int]:
        """The beginnings of the first files that sound, mono `[n]` at 44.1 kHz, at most 6 s."""
        parts: list[Floats] = []
        left = MAX_PREVIEW_SECONDS
        for path in self._files:
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

    def _windows(self, path: Path, sample_rate: int, clip_samples: int, limit: int) -> list[Floats]:
        """The sounding ones of the file's first `limit` windows, side by side."""
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
            return decode(path, sample_rate=sample_rate, end_seconds=seconds, name=path.name).samples
        except (AudioError, OSError) as error:
            self._faults[path.name] = str(error)
            return None


class FolderSource:
    """The instruments of a folder, or the one instrument that a single audio file is."""

    def __init__(self, path: Path) -> None:
        """Raises SourceError if there is no audio file in `path`."""
        self.name = path.stem if path.is_file() else path.resolve().name
        self._instruments = list(_instruments(path))
        if not self._instruments:
            raise SourceError(
                f"{path.name} holds no audio files", value=path.name, limit=" ".join(AUDIO_SUFFIXES)
            )

    def __len__(self) -> int:
        return len(self._instruments)

    def __iter__(self) -> Iterator[FolderInstrument]:
        return iter(self._instruments)


def is_audio_file(path: Path) -> bool:
    """Whether the name is that of an audio file; hidden files and what archivers leave behind are none."""
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _instruments(path: Path) -> Iterator[FolderInstrument]:
    if path.is_file():
        yield FolderInstrument(path.stem, [path], path.name)
        return
    for entry in sorted(path.iterdir()):
        source = f"{path.resolve().name}/{entry.name}"
        if is_audio_file(entry):
            yield FolderInstrument(entry.stem, [entry], source)
        elif entry.is_dir() and not entry.name.startswith((".", "__MACOSX")):
            files = sorted(file for file in entry.rglob("*") if is_audio_file(file))
            if files:
                yield FolderInstrument(entry.name, files, source)


def _spread(files: Sequence[Path]) -> list[Path]:
    """All files, sixteen that are spread evenly first, so that a sampled instrument shows its whole range."""
    if len(files) <= MAX_CLIPS:
        return list(files)
    chosen = np.linspace(0, len(files) - 1, MAX_CLIPS).round().astype(int).tolist()
    return [files[i] for i in chosen] + [file for i, file in enumerate(files) if i not in set(chosen)]


def _gap() -> Floats:
    return np.zeros(int(_PREVIEW_GAP_SECONDS * PREVIEW_SAMPLE_RATE), np.float32)
