"""One or more small valid files of each format, made by our own code: what mutations start from."""

import io
import zipfile
from functools import cache

import numpy as np

from tests.index.tiny_soundfont import PATCHES, soundfont_bytes
from tests.models.audio_files import RATE, SOUNDFILE_FORMATS, aac_file, file_of, sine

AUDIO = ("wav", "flac", "ogg", "opus", "mp3", "m4a", "aac", "aiff")
SOURCES = ("sf2", "sf3", "sfz")
FORMATS = (*AUDIO, *SOURCES, "zip")
SECONDS = 0.3
SAMPLE = "c4.wav"  # beside every .sfz

SFZ_TEXTS = (
    b"<control> default_path=\n<group> ampeg_release=0.3\n<region> sample=c4.wav key=60 loop_mode=loop_continuous\n",
    b"#define $KEY 62\n<global> volume=-3 <region> sample=*sine lokey=50 hikey=70 cutoff=800 fil_type=lpf_2p tune=12\n"
    b'<region> sample=C4.WAV pitch_keycenter=$KEY offset=20 end=3000 // text\n#include "b.sfz"\n',
    b"<region> sample=../../../../etc/passwd <region> sample=c4.wav lovel=1 hivel=64 xfin_lovel=0 xfin_hivel=32\n",
)
PLAYLISTS = (
    b"ffconcat version 1.0\nfile /etc/passwd\n",
    b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    b"[playlist]\nFile1=/etc/passwd\nNumberOfEntries=1\n",
)


@cache
def seeds_of(kind: str) -> tuple[bytes, ...]:
    """Return the files that mutations of a format start from."""
    if kind in SOUNDFILE_FORMATS:
        rate = SOUNDFILE_FORMATS[kind][2]
        mono = sine(SECONDS, rate)
        return tuple(
            file_of(samples, rate, kind).getvalue() for samples in (mono, np.stack([mono, -mono], 1))
        )
    if kind in ("m4a", "aac"):
        stereo = np.stack([sine(SECONDS, 44_100)] * 2, 1)
        return (aac_file(stereo, 44_100, "mp4" if kind == "m4a" else "adts").getvalue(),)
    if kind in ("sf2", "sf3"):
        return tuple(
            soundfont_bytes(patches, compressed=kind == "sf3") for patches in (PATCHES[:1], PATCHES[:4])
        )
    if kind == "sfz":
        return SFZ_TEXTS
    return _zips()


def _zips() -> tuple[bytes, ...]:
    wav = file_of(sine(0.05, RATE), RATE).getvalue()
    plain = {"Bass/a.wav": wav, "Flute/b.wav": wav, "x.txt": b"text"}
    nested = {"Bass/a.wav": wav, "inner.zip": _zip({"b.wav": wav}, zipfile.ZIP_STORED)}
    bank = {"Bank/a.sfz": SFZ_TEXTS[0], "Bank/c4.wav": wav, "Bank/\u202egnp.wav": wav, "Bank/a\tb.wav": wav}
    bomb = {"Bass/a.wav": bytes(3_000_000)}
    methods = (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED)
    return tuple(
        _zip(files, method) for files, method in zip((plain, nested, bank, bomb), methods, strict=True)
    )


def _zip(files: dict[str, bytes], method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()
