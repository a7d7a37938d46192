"""Plays a software synthesiser that is a DSSI plug-in, offline, without sound card, server or window.

After the headers of LADSPA 1.1 and DSSI 1.0 (dssi.sourceforge.net): a shared library whose `dssi_descriptor` returns a table
of functions. Foreign code runs in our process, so callers open each plug-in in another (`training.processes.call_apart`).
"""

import ctypes
import os
import time
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_float, c_int, c_ulong, c_void_p
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.sources.base import Floats, Note
from models.errors import SourceError

DEFAULT_FOLDERS = "/usr/local/lib/dssi:/usr/lib/dssi"  # where DSSI_PATH is not set
MAX_PROGRAMS = 16_384  # 128 banks of 128
SETTLE_SECONDS = 0.3  # WhySynth's thread looks for work about ten times a second
MAX_SETTLE_SECONDS = 20.0
MAX_TAIL_SECONDS = 10.0  # of a note that must have faded before the next
TAIL_PEAK = 1e-4  # −80 dBFS

OUTPUT, AUDIO = 2, 8  # bits of a port's descriptor
NOTE_ON, NOTE_OFF, CONTROLLER = 6, 7, 10  # types of ALSA's sequencer events
ALL_SOUND_OFF = 120
# struct snd_seq_event of ALSA; DSSI counts `tick` in samples. A controller's number and value overlay the note's duration.
EVENT = np.dtype(
    [
        *[(name, "u1") for name in ("type", "flags", "tag", "queue")],
        *[("tick", "u4"), ("nanoseconds", "u4"), ("addresses", "u1", 4)],
        *[(name, "u1") for name in ("channel", "note", "velocity", "off_velocity")],
        *[("parameter", "u4"), ("value", "i4")],
    ]
)


class _RangeHint(ctypes.Structure):
    _fields_ = [("kind", c_int), ("low", c_float), ("high", c_float)]


class _LadspaDescriptor(ctypes.Structure):
    _fields_ = [
        ("unique_id", c_ulong),
        ("label", c_char_p),
        ("properties", c_int),
        ("name", c_char_p),
        ("maker", c_char_p),
        ("copyright", c_char_p),
        ("port_count", c_ulong),
        ("port_kinds", POINTER(c_int)),
        ("port_names", POINTER(c_char_p)),
        ("port_hints", POINTER(_RangeHint)),
        ("implementation", c_void_p),
        ("instantiate", CFUNCTYPE(c_void_p, c_void_p, c_ulong)),
        ("connect_port", CFUNCTYPE(None, c_void_p, c_ulong, c_void_p)),
        ("activate", CFUNCTYPE(None, c_void_p)),
        ("run", c_void_p),
        ("run_adding", c_void_p),
        ("set_run_adding_gain", c_void_p),
        ("deactivate", c_void_p),
        ("cleanup", c_void_p),
    ]


class _ProgramDescriptor(ctypes.Structure):
    _fields_ = [("bank", c_ulong), ("number", c_ulong), ("name", c_char_p)]


class _DssiDescriptor(ctypes.Structure):
    _fields_ = [
        ("version", c_int),
        ("ladspa", POINTER(_LadspaDescriptor)),
        ("configure", CFUNCTYPE(c_void_p, c_void_p, c_char_p, c_char_p)),
        ("get_program", CFUNCTYPE(POINTER(_ProgramDescriptor), c_void_p, c_ulong)),
        ("select_program", CFUNCTYPE(None, c_void_p, c_ulong, c_ulong)),
        ("get_midi_controller_for_port", c_void_p),
        ("run_synth", CFUNCTYPE(None, c_void_p, c_ulong, c_void_p, c_ulong)),
    ]


@dataclass(frozen=True, slots=True)
class Program:
    """A program of a synthesiser, by the numbers that select it."""

    bank: int
    number: int
    name: str


def find_plugin(name: str) -> Path | None:
    """Return the shared library of a plug-in in the folders of DSSI_PATH, or None."""
    folders = os.environ.get("DSSI_PATH", DEFAULT_FOLDERS).split(":")
    paths = [Path(folder) / f"{name}.so" for folder in folders if folder]
    return next((path for path in paths if path.is_file()), None)


class DssiSynth:
    """One instance of a plug-in, for one program: patches leave traces in an instance that plays another afterwards."""

    def __init__(self, library: Path, sample_rate: int) -> None:
        """Raises SourceError for a file that is no DSSI synthesiser."""
        self.sample_rate = sample_rate
        self._plugin = _descriptor(library)
        self._ladspa = self._plugin.ladspa.contents
        before = _threads()
        self._handle = self._ladspa.instantiate(ctypes.addressof(self._ladspa), sample_rate)
        if not self._handle:
            raise SourceError(f"{library.name} cannot be started", value=library.name)
        self._background = _threads() - before
        self._controls: list[Floats] = []  # the plug-in holds their addresses
        self._outputs: list[tuple[int, Floats]] = []
        for port in range(self._ladspa.port_count):
            self._connect(port)
        if not self._outputs:
            raise SourceError(f"{library.name} has no audio output", value=library.name)
        if self._ladspa.activate:
            self._ladspa.activate(self._handle)

    def _connect(self, port: int) -> None:
        """Give a port its memory: a control its default value, audio room for a block, which `_run` makes."""
        kind = self._ladspa.port_kinds[port]
        if not kind & AUDIO:
            value = default_value(self._ladspa.port_hints[port], self.sample_rate)
            self._controls.append(np.array([value], np.float32))
            self._ladspa.connect_port(self._handle, port, self._controls[-1].ctypes.data)
            return
        self._controls.append(np.zeros(self.sample_rate, np.float32))
        self._ladspa.connect_port(self._handle, port, self._controls[-1].ctypes.data)
        if kind & OUTPUT:
            self._outputs.append((port, self._controls[-1]))

    @property
    def copyright(self) -> str:
        return (self._ladspa.copyright or b"").decode("utf-8", "replace")

    def configure(self, key: str, value: str) -> None:
        """Set what is no port, such as a bank of patches. Raises SourceError with the plug-in's own message."""
        answer = self._plugin.configure(self._handle, key.encode(), value.encode())
        if answer:
            message = ctypes.string_at(answer).decode("utf-8", "replace")
            raise SourceError(f"{key} is refused: {message}", value=key)

    def programs(self) -> Iterator[Program]:
        """Yield all programs, in the plug-in's order."""
        for place in range(MAX_PROGRAMS if self._plugin.get_program else 0):
            found = self._plugin.get_program(self._handle, place)
            if not found:
                return
            program = found.contents
            yield Program(program.bank, program.number, (program.name or b"").decode("utf-8", "replace"))

    def select(self, bank: int, number: int) -> None:
        """Choose a program, and wait for the plug-in's threads to compute its waves."""
        self._plugin.select_program(self._handle, bank, number)
        self._run(
            64, np.zeros(0, EVENT)
        )  # a program takes effect, or its waves are asked for, with the first block
        if not self._background:
            return
        deadline = time.monotonic() + MAX_SETTLE_SECONDS
        time.sleep(SETTLE_SECONDS)
        while _is_any_running(self._background) and time.monotonic() < deadline:
            time.sleep(0.02)

    def play(self, note: Note, seconds: float) -> Floats:
        """Return a note from the start, mono `[round(seconds · sample_rate)]`, then let it fade, unheard."""
        events = np.zeros(2, EVENT)
        events["type"] = NOTE_ON, NOTE_OFF
        events["tick"] = [
            round(second * self.sample_rate) for second in (note.start_seconds, note.end_seconds)
        ]
        events["note"], events["velocity"] = note.pitch, note.velocity
        samples = self._run(round(seconds * self.sample_rate), events)
        self._fade()
        return samples

    def _fade(self) -> None:
        stop = np.zeros(1, EVENT)
        stop["type"], stop["parameter"] = CONTROLLER, ALL_SOUND_OFF
        self._run(64, stop)
        for _ in range(round(2 * MAX_TAIL_SECONDS)):
            if float(np.abs(self._run(self.sample_rate // 2, np.zeros(0, EVENT))).max()) < TAIL_PEAK:
                return

    def _run(self, samples: int, events: np.ndarray) -> Floats:
        """Return the mean of all outputs over one block, in blocks of at most a second."""
        mixed = np.zeros(samples, np.float32)
        for start in range(0, samples, self.sample_rate):
            length = min(self.sample_rate, samples - start)
            inside = (events["tick"] >= start) & (events["tick"] < start + length)
            block = np.ascontiguousarray(events[inside])
            block["tick"] -= start
            self._plugin.run_synth(self._handle, length, block.ctypes.data, len(block))
            for _, output in self._outputs:
                mixed[start : start + length] += output[:length]
        return mixed / np.float32(len(self._outputs))


def default_value(hint: _RangeHint, sample_rate: int) -> float:
    """Return the value that a control starts with (LADSPA's default hints); 0 where the plug-in names none."""
    default = hint.kind & 0x3C0
    scale = sample_rate if hint.kind & 0x8 else 1
    low, high = hint.low * scale, hint.high * scale
    share = {0x40: 0.0, 0x80: 0.25, 0xC0: 0.5, 0x100: 0.75, 0x140: 1.0}.get(default)
    if share is None:
        return {0x240: 1.0, 0x280: 100.0, 0x2C0: 440.0}.get(default, 0.0)
    if hint.kind & 0x10 and low > 0:  # logarithmic
        return float(low ** (1 - share) * high**share)
    return low * (1 - share) + high * share


def _descriptor(library: Path) -> _DssiDescriptor:
    try:
        function = ctypes.CDLL(str(library)).dssi_descriptor
    except (OSError, AttributeError) as error:
        raise SourceError(f"{library.name} is no DSSI plug-in: {error}", value=library.name) from error
    function.restype, function.argtypes = POINTER(_DssiDescriptor), [c_ulong]
    found = function(0)
    if not found or not found.contents.run_synth:
        raise SourceError(f"{library.name} is no synthesiser", value=library.name)
    descriptor: _DssiDescriptor = found.contents
    return descriptor


def _threads() -> frozenset[str]:
    """Return the ids of this process's threads; empty where the system does not tell."""
    try:
        return frozenset(path.name for path in Path("/proc/self/task").iterdir())
    except OSError:
        return frozenset()


def _is_any_running(threads: frozenset[str]) -> bool:
    """Return whether one of the threads computes or waits for a processor."""
    for thread in threads:
        try:
            state = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state in "RD":
            return True
    return False
