"""The doctor's checks of the machine and of what is installed on it: each is tried out, in a small way.

Every check takes the settings and yields its findings; what it raises, `app/doctor/examination.py` turns into one.
"""

import errno
import http.client
import io
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import soundfile as sf
import torch

from app.connections import DESCRIPTORS_PER_CONNECTION, raise_descriptor_limit
from app.default_library import DISABLED, DefaultLibrary
from app.doctor.findings import Finding
from app.origins import ANY_ADDRESS
from app.settings import Settings
from index.decoding.remote_source import DecodingOpener
from index.decoding.workers import DecodeWorkers
from index.vector_store import FAISS_BUILDS, VectorStore, search_engine
from models.audio import decode
from models.audio_tracks import missing_decoders
from models.device import choose_device
from models.encoder_pair import EncoderPair
from models.errors import AudioError, ShowMeError

ENCODINGS = {  # by libsndfile: format and subtype
    "wav": ("WAV", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
TONE_HZ = 1_000
TONE_SECONDS = 0.5
RATE = 48_000  # hz
REFUSED = {  # part of a decode worker's sandbox → what it forbids
    "no_new_privs": "new privileges",
    "seccomp": "network and other processes",
    "landlock": "files of the service",
    "AS": "more memory",
}
ANSWER_SECONDS = 5.0  # for a program on the port


def check_device(settings: Settings) -> Iterator[Finding]:
    """Check that torch has the device that SHOWME_DEVICE asks for."""
    asked = f"SHOWME_DEVICE={settings.device}"
    try:
        device = choose_device(settings.device)
    except ShowMeError as error:
        advice = "install NVIDIA's driver and `make install VARIANT=gpu`, or set SHOWME_DEVICE=cpu"
        yield Finding("device", "wrong", f"{error.message} ({asked})", advice)
        return
    if device.type == "cuda":
        yield Finding("device", "right", f"{torch.cuda.get_device_name(device)} ({asked})")
        return
    yield Finding("device", "right", f"cpu ({asked})")
    if settings.device == "auto" and shutil.which("nvidia-smi"):
        message = f"NVIDIA's driver is installed, but torch {torch.__version__} sees no GPU"
        yield Finding("device", "note", message, "`make install VARIANT=gpu` to use it")


def check_search(settings: Settings) -> Iterator[Finding]:
    """Check that one build of FAISS is installed, that it suits the device, and that it finds a vector."""
    builds = [f"{name} {release}" for name in FAISS_BUILDS if (release := _release(name))]
    if len(builds) > 1:
        message = f"{' and '.join(builds)} are installed, which are one module: one of them is broken"
        advice = "uninstall them all, then `make install VARIANT=cpu` or `VARIANT=gpu`"
        yield Finding("search", "wrong", message, advice)
        return
    device = _device(settings)
    store = VectorStore(Path("unsaved"), 4, device=device)
    store.add(np.arange(3), np.eye(3, 4, dtype=np.float32))
    ids, cosines = store.search(np.eye(3, 4, dtype=np.float32)[1:2], 2)
    engine = search_engine(device)
    if int(ids[0, 0]) != 1 or abs(float(cosines[0, 0]) - 1.0) > 1e-3:
        message = f"{engine} finds vector {ids[0, 0]} with cosine {cosines[0, 0]:.3f} instead of 1 with 1.000"
        yield Finding("search", "wrong", message, "install another build of FAISS or torch")
        return
    yield Finding("search", "right", engine)
    if device == "cpu" and builds and not builds[0].startswith("faiss-cpu"):
        message = f"{builds[0]} is installed, but the device is the CPU"
        yield Finding("search", "note", message, "`make install VARIANT=cpu` takes less room")


def check_codecs(_: Settings) -> Iterator[Finding]:
    """Check that a tone comes back from a file of each format that can be written, and that the other decoders are there."""
    faults = {name: fault for name in ENCODINGS if (fault := _codec_fault(name))}
    if faults:
        told = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        message = f"a tone does not come back from {told} (libsndfile {sf.__libsndfile_version__})"
        yield Finding("codecs", "wrong", message, "install soundfile again, with its own libsndfile")
    else:
        yield Finding("codecs", "right", f"{', '.join(ENCODINGS)} decode")
    if missing := missing_decoders():
        message = f"FFmpeg lacks decoders for {', '.join(missing)}: such files are refused"
        yield Finding("codecs", "note", message, "install PyAV again (`pip install --force-reinstall av`)")


def check_weights(settings: Settings) -> Iterator[Finding]:
    """Check that the encoders and the models beside them load, belong together and compute."""
    pair = EncoderPair.load(settings.weights_dir, _device(settings))
    pair.calibrated_match()
    noise = np.random.default_rng(0).normal(0, 0.1, (1, pair.clip_samples)).astype(np.float32)
    embedding, (slots, presence) = pair.embed(noise), pair.encode(noise)
    norm = float(np.linalg.norm(embedding))
    if abs(norm - 1.0) > 1e-2 or not (np.isfinite(slots).all() and np.isfinite(presence).all()):
        message = f"an embedding has norm {norm:.3f} instead of 1 on {pair.device}"
        yield Finding("weights", "wrong", message, "try SHOWME_DEVICE=cpu")
        return
    parts = {
        "family": pair.family,
        "instrument family": pair.instrument_family,
        "match": pair.match,
        "frame-level": pair.frame_level,
    }
    there = ", ".join(name for name, part in parts.items() if part)
    yield Finding("weights", "right", f"encoder {pair.encoder_hash[:19]}… with {there}, on {pair.device}")
    if pair.family is None:
        message = "family.safetensors is missing: families of lanes come from their hits alone"
        yield Finding("weights", "note", message, "`python -m training.family` fits it")


def check_decoding(settings: Settings) -> Iterator[Finding]:
    """Check that files are decoded in processes of their own, and tell what these may not do."""
    with closing(DecodeWorkers(settings.decode_limits)) as workers:
        held = workers.held()
    limits = f"{settings.decode_memory_bytes} bytes, {settings.decode_cpu_seconds:g} s (SHOWME_DECODE_…)"
    refused = [words for part, words in REFUSED.items() if part not in held]
    if refused:
        message = f"in processes of at most {limits}; the system cannot forbid them {', '.join(refused)}"
        yield Finding("decoding", "note", message, "on Linux 5.13 or newer with seccomp it can")
        return
    yield Finding("decoding", "right", f"in processes without network and rights, of at most {limits}")


def check_default_library(settings: Settings) -> Iterator[Finding]:
    """Check that the source of the default library opens, without which the service does not start."""
    with closing(DecodeWorkers(settings.decode_limits)) as workers:
        default = DefaultLibrary.of_setting(settings.default_library, DecodingOpener(workers))
        if default is None:
            yield Finding("default library", "right", f"none (SHOWME_DEFAULT_LIBRARY={DISABLED})")
            return
        try:
            source = default.open_source()
        except ShowMeError as error:
            advice = f"set SHOWME_DEFAULT_LIBRARY to a SoundFont or a folder, or to {DISABLED}"
            yield Finding("default library", "wrong", error.message, advice)
            return
        yield Finding("default library", "right", f"{default.name}: {len(source)} instruments")


def check_port(settings: Settings) -> Iterator[Finding]:
    """Check that the service can listen on its port, or that it does so already."""
    host, number = settings.host, settings.port
    place = f"{host}:{number} (SHOWME_HOST, SHOWME_PORT)"
    try:
        addresses = socket.getaddrinfo(host or None, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = addresses[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            yield _listener(host, number)
            return
        advice = "choose an address of this machine, and a port above 1023"
        yield Finding("port", "wrong", f"{place} cannot be listened on: {error.strerror}", advice)
        return
    yield Finding("port", "right", f"{place} is free")


def check_files(settings: Settings) -> Iterator[Finding]:
    """Check that the system lets a process open the files that as many connections need as the settings allow."""
    most, wanted = raise_descriptor_limit(), DESCRIPTORS_PER_CONNECTION * settings.max_connections
    if most >= wanted:
        yield Finding("open files", "right", f"{most} may be open")
        return
    message = (
        f"{most} may be open, so {most // DESCRIPTORS_PER_CONNECTION} connections instead of {settings.max_connections} "
        "(SHOWME_MAX_CONNECTIONS)"
    )
    yield Finding("open files", "note", message, f"`ulimit -Hn {wanted}` or more, or LimitNOFILE of its unit")


def _device(settings: Settings) -> str:
    """Return the device to try things on: the CPU where the one asked for is missing, which is told already."""
    return str(choose_device("cpu" if settings.device == "cpu" else "auto"))


def _release(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _codec_fault(name: str) -> str | None:
    """Write a tone as a file, decode it, and say what is wrong with the result."""
    form, subtype = ENCODINGS[name]
    at = np.arange(int(TONE_SECONDS * RATE)) / RATE
    file = io.BytesIO()
    try:
        sf.write(file, 0.5 * np.sin(2 * np.pi * TONE_HZ * at), RATE, format=form, subtype=subtype)
        decoded = decode(file, sample_rate=16_000, name=name)
    except (AudioError, sf.LibsndfileError) as error:
        return str(error)
    heard_hz = float(np.abs(np.fft.rfft(decoded.samples)).argmax()) * 16_000 / len(decoded.samples)
    return None if abs(heard_hz - TONE_HZ) < 0.02 * TONE_HZ else f"{heard_hz:.0f} Hz instead of {TONE_HZ}"


def _listener(host: str, port: int) -> Finding:
    """Ask who listens on the port: this service tells whether it is ready."""
    place = f"{host}:{port}"
    here = host if host not in ANY_ADDRESS else "::1" if host == "::" else "127.0.0.1"
    connection = http.client.HTTPConnection(here, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        body = json.loads(connection.getresponse().read(1 << 20))
        is_ready, reason = bool(body["ready"] and body["encoder"]), str(body.get("detail"))
    except TimeoutError:
        message = f"what listens on {place} (SHOWME_PORT) does not answer in {ANSWER_SECONDS:g} s"
        return Finding("port", "wrong", message, "stop it, or choose another SHOWME_PORT")
    except (OSError, http.client.HTTPException, ValueError, TypeError, KeyError):
        message = f"another program listens on {place} (SHOWME_PORT)"
        return Finding("port", "wrong", message, "stop it, or choose another SHOWME_PORT")
    finally:
        connection.close()
    if is_ready:
        return Finding("port", "right", f"the service answers on {place} already, and is ready")
    return Finding("port", "note", f"the service answers on {place} and is not ready: {reason}")
