"""Writes the files that the browser tests drop on the page, and fills the service's catalogue.

The mixture has three presets of the default library: one enters later, one stops early. The SoundFont and the tones come
from the Python tests.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import soundfile as sf

from app.engine import Engine
from app.settings import Settings
from index.catalog import Clip, Instrument, Library
from index.enroll import enroll
from index.families import FAMILIES
from index.sources.base import Floats, enrollment_phrases
from index.sources.default import default_soundfont
from index.sources.soundfont import SoundFontPlayer, SoundFontSource
from index.stored_embeddings import to_bytes
from models.audio import write_mp3
from models.encoder_pair import EncoderPair
from tests.app.sounds import TONES, audio, tone, zipped
from tests.app.sounds import mixture as two_tones
from tests.browser.small_default import SmallSource
from tests.index.tiny_soundfont import write_soundfont

SAMPLE_RATE = 44_100  # hz
MIXTURE_SECONDS = 20.0
PARTS = (
    (33, 0, 0.0, 20.0),
    (25, 2, 6.0, 20.0),
    (73, 5, 0.0, 13.0),
)  # program, phrase, from and to in seconds
LARGE_LIBRARY = 5000  # instruments
MANY_INSTRUMENTS = 1100  # enough to keep an enrollment job running while a test acts
ABOVE_UPLOAD_LIMIT = 3_000_000  # bytes; setup.ts sets a limit of two million
ABOVE_DECODED_LIMIT = 70.0  # seconds; setup.ts sets a limit of sixty


def mixture() -> Floats:
    """Stereo samples `[samples, 2]`: finger bass throughout, steel guitar enters later, flute stops earlier."""
    player = SoundFontPlayer(default_soundfont(), SAMPLE_RATE)
    seconds = np.arange(round(MIXTURE_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    total = np.zeros((len(seconds), 2), np.float32)
    for program, phrase, start, end in PARTS:
        once = player.render(0, program, enrollment_phrases(MIXTURE_SECONDS / 2)[phrase], MIXTURE_SECONDS / 2)
        heard = (seconds >= start) & (seconds < end)
        total += np.tile(once / np.abs(once).max(), (2, 1))[: len(seconds)] * heard[:, None]
    return np.asarray(0.5 * total / np.abs(total).max(), np.float32)


def spelled(number: int) -> str:
    """Write the digits of `number` as letters: files whose names differ only in digits would be samples of one instrument."""
    return "".join(chr(ord("h") + int(digit)) for digit in f"{number:03}")


def write_files(folder: Path) -> None:
    """Write tracks, instruments, and files that are neither, into `folder`."""
    samples = mixture()
    write_mp3(folder / "mixture.mp3", samples, SAMPLE_RATE)
    sf.write(folder / "unplayable.aiff", samples[: 6 * SAMPLE_RATE : 2], SAMPLE_RATE // 2, subtype="PCM_16")
    (folder / "other.wav").write_bytes(two_tones(4.0))
    write_mp3(folder / "long.mp3", tone(330.0, ABOVE_DECODED_LIMIT), 16_000)
    (folder / "silent.wav").write_bytes(audio(np.zeros(32_000, np.float32)))
    (folder / "large.wav").write_bytes(audio(np.zeros(ABOVE_UPLOAD_LIMIT // 2, np.float32)))
    (folder / "manual.pdf").write_bytes(b"%PDF-1.7\n%%EOF\n")
    (folder / "lying.mp3").write_bytes(b"This is no music. " * 200)
    (folder / "empty").mkdir()
    kit = {f"{name}/{name} {n}.wav": audio(tone(hz * n)) for name, hz in TONES.items() for n in (1, 2)}
    for path, content in kit.items():
        place = folder / "Kit" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (folder / "Kit" / "readme.txt").write_text("Tones of our own.")
    (folder / "Zipped.zip").write_bytes(zipped(kit))
    (folder / "Many").mkdir()
    once = folder / "Many" / f"{spelled(0)}.mp3"
    write_mp3(once, tone(440.0, 0.1), 16_000)
    for number in range(1, MANY_INSTRUMENTS):
        shutil.copy(once, folder / "Many" / f"{spelled(number)}.mp3")
    write_soundfont(folder / "Small.sf2")


def write_libraries(settings: Settings, default: bool) -> None:
    """Store a library of random embeddings without previews, and a small default library if `default`.

    The service enrolls the whole default library itself when it finds none.
    """
    pair = EncoderPair.load(settings.weights_dir, "cpu")
    index = Engine(settings, pair).index
    try:
        library = index.libraries.create("Five thousand")
        rng = np.random.default_rng(5)
        vectors = rng.standard_normal((LARGE_LIBRARY, index.embedding_dim)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        with index.catalog.write() as session:
            row = session.get_one(Library, library.id)
            row.encoder_hash, row.revision = index.encoder_hash, row.revision + 1
            made = [
                Instrument(
                    library_id=library.id,
                    name=f"Instrument {number:04}",
                    family=FAMILIES[number % len(FAMILIES)],
                    source=f"Large.sf2#{number // 128}:{number % 128}",
                    num_clips=1,
                    encoder_hash=index.encoder_hash,
                    embedding=to_bytes(vector),
                )
                for number, vector in enumerate(vectors)
            ]
            session.add_all(made)
            session.flush()
            session.add_all(
                Clip(vector_id=one.vector_id, position=0, embedding=one.embedding) for one in made
            )
        if default:
            font = SoundFontSource(default_soundfont())
            enroll(index, pair, index.libraries.create(font.name).id, SmallSource(font))
    finally:
        index.close()


if __name__ == "__main__":
    write_files(Path(sys.argv[1]))
    write_libraries(Settings(), default="--whole-default-library" not in sys.argv)
