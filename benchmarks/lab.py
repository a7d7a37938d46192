"""Shared state of the measurements: a temporary data folder, a server over it, and the query files.

A query is three presets of the default library that play enrollment phrases, so every run sends the same audio.
"""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import soundfile as sf

from benchmarks.data_lab import DataLab
from benchmarks.server import Server
from index.sources.base import Floats, enrollment_phrases
from index.sources.default import default_soundfont
from index.sources.soundfont import SoundFontPlayer
from models.audio import write_mp3

SAMPLE_RATE = 44_100  # hz
PRESETS = ((0, 33, 0), (0, 25, 2), (0, 73, 5))  # bank, program, phrase: finger bass, steel guitar, flute
PHRASE_SECONDS = 10.0


class Lab:
    """Keeps the server between measurements; starts it on first use."""

    def __init__(self, folder: Path, given_notes: Path | None = None, given_midi: Path | None = None) -> None:
        self.folder = folder
        self.data = DataLab(folder, given_notes, given_midi)
        self.first_start: Server | None = None
        self._stack = ExitStack()
        self._server: Server | None = None

    def server(self) -> Server:
        """The running server over an enrolled default library."""
        if self._server is None:
            server = Server(self.folder / "data", self.folder / "server.log")
            self._server = self._stack.enter_context(server)
            self.first_start = self.first_start or server
        return self._server

    def stop(self) -> None:
        """Stop the server; its data folder stays."""
        self._server = None
        self._stack.close()

    def mixture_wav(self) -> Path:
        """Ten seconds, 44.1 kHz, 16-bit stereo WAV."""
        path = self.folder / "mixture.wav"
        if not path.exists():
            sf.write(path, mixture(), SAMPLE_RATE, subtype="PCM_16")
        return path

    def song_mp3(self, seconds: float = 240.0) -> Path:
        """Four minutes, or `seconds`, 44.1 kHz stereo mp3."""
        path = self.folder / f"song-{seconds:.0f}s.mp3"
        if not path.exists():
            write_mp3(path, np.tile(mixture(), (round(seconds / PHRASE_SECONDS), 1)), SAMPLE_RATE)
        return path


def mixture() -> Floats:
    """Stereo samples [samples, 2] of three presets together, peak at half of full scale."""
    player = SoundFontPlayer(default_soundfont(), SAMPLE_RATE)
    phrases = enrollment_phrases(PHRASE_SECONDS)
    parts = [
        player.render(bank, program, phrases[phrase], PHRASE_SECONDS) for bank, program, phrase in PRESETS
    ]
    samples = np.sum([part / np.abs(part).max() for part in parts], axis=0, dtype=np.float32)
    return np.asarray(0.5 * samples / np.abs(samples).max(), np.float32)
