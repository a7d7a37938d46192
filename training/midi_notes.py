"""Turns a MIDI file's events into tracks of notes in seconds: one track per track chunk, channel and program.

Section 4 of Kim et al. 2022: "we first separated each MIDI track". Programs and the sustain pedal act on a channel in all
tracks, as the MIDI 1.0 specification says.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.smf import (
    CONTROL,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM,
    MidiDamaged,
    MidiEvents,
    parse_events,
    read_bytes,
)

DRUM_CHANNEL = 9
PEDAL_DOWN = 64  # half way and deeper
MIN_NOTE_SECONDS = 0.05  # so that a note of a tick or two is still heard
MAX_NOTE_SECONDS = 30.0  # cuts notes and pedals that are released much too late
MAX_HOURS = 6.0  # of a piece

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class MidiTrack:
    """The `notes` of one instrument, float32 [notes ≥ 1, 4]: pitch, velocity, start and end in seconds, by start."""

    program: int
    is_drum: bool
    notes: NDArray[np.float32]


@dataclass(frozen=True)
class _NoteColumns:
    """All notes of a file as columns [notes], sorted by track chunk, channel, pitch and onset; times in ticks.

    `order` is the onset's place among all events of the file by time, `again` the tick of the same key's next onset (or the
    end of the file).
    """

    chunk: Ints
    channel: Ints
    pitch: Ints
    velocity: Ints
    order: Ints
    start: Ints
    end: Ints
    again: Ints


def read_tracks(path: Path) -> list[MidiTrack]:
    """The tracks of a MIDI file, at least one, by track chunk, channel and program; drums (channel 10) included.

    A note ends at its key's next release (the first pressed is the first released); a note without a release is dropped.
    While the sustain pedal is down, a released note continues until the pedal goes up or the track strikes the same key
    again. Every note lasts MIN_NOTE_SECONDS to MAX_NOTE_SECONDS. A track without a program for its channel takes the
    channel's program of the other tracks. Raises MidiDamaged with the reason.
    """
    return tracks_of(parse_events(read_bytes(path)))


def tracks_of(events: MidiEvents) -> list[MidiTrack]:
    """The tracks of a file's events; `read_tracks` describes them."""
    last_tick = events.tick.max(initial=0)
    hours = float(events.seconds(np.array([last_tick]))[0]) / 3600
    if hours > MAX_HOURS:
        raise MidiDamaged(f"too long: {hours:.1f} h, at most {MAX_HOURS:g} h", value=hours, limit=MAX_HOURS)
    events = _in_time(events)
    notes = _paired(events)
    if not len(notes.start):
        raise MidiDamaged("no notes")
    program = _programs(events, notes)
    start = events.seconds(notes.start)
    end = events.seconds(_pedalled(events, notes))
    end = np.clip(end, start + MIN_NOTE_SECONDS, start + MAX_NOTE_SECONDS)
    table = np.stack([notes.pitch, notes.velocity, start, end], axis=1).astype(np.float32)
    order = np.lexsort((notes.pitch, notes.start, program, notes.channel, notes.chunk))
    table, program, channel, chunk = table[order], program[order], notes.channel[order], notes.chunk[order]
    fresh = (np.diff(program) != 0) | (np.diff(channel) != 0) | (np.diff(chunk) != 0)
    begins = np.concatenate([[0], np.flatnonzero(fresh) + 1, [len(table)]])
    return [
        MidiTrack(int(program[begin]), bool(channel[begin] % 16 == DRUM_CHANNEL), table[begin:until])
        for begin, until in pairwise(begins)
    ]


def _in_time(events: MidiEvents) -> MidiEvents:
    """Sort the events by time; pedals and programs come before notes of the same tick, ties stay in file order."""
    order = np.lexsort((events.kind <= NOTE_ON, events.tick))
    return replace(
        events,
        chunk=events.chunk[order],
        tick=events.tick[order],
        channel=events.channel[order],
        kind=events.kind[order],
        data1=events.data1[order],
        data2=events.data2[order],
    )


def _paired(events: MidiEvents) -> _NoteColumns:
    """Pair each onset with a release of its key, first in first out."""
    place = np.flatnonzero((events.kind == NOTE_ON) | (events.kind == NOTE_OFF))
    key = (events.chunk[place] << 18) + (events.channel[place] << 7) + events.data1[place]
    by_key = np.argsort(key, kind="stable")
    place, key = place[by_key], key[by_key]
    is_on = (events.kind[place] == NOTE_ON) & (events.data2[place] > 0)
    is_off = ~is_on & ~_unmatched_releases(key, is_on)
    on, off = place[is_on], place[is_off]
    # No key has more releases than onsets now, so its k-th release belongs to its k-th onset.
    first_on = np.searchsorted(key[is_on], key[is_off])
    rank = np.arange(len(off)) - np.searchsorted(key[is_off], key[is_off])
    end = np.full(len(on), -1)
    end[first_on + rank] = events.tick[off]
    again = np.full(len(on), events.tick.max(initial=0))
    same_key = key[is_on][1:] == key[is_on][:-1]
    again[:-1][same_key] = events.tick[on[1:][same_key]]
    kept = end >= 0
    on = on[kept]
    return _NoteColumns(
        chunk=events.chunk[on],
        channel=events.channel[on],
        pitch=events.data1[on],
        velocity=events.data2[on],
        order=on,
        start=events.tick[on],
        end=end[kept],
        again=again[kept],
    )


def _unmatched_releases(key: Ints, is_on: Flags) -> Flags:
    """Mark the releases without a waiting onset: the count of waiting onsets would fall to a new minimum below zero.

    `key` [events] is ascending, and the events of a key are in time order.
    """
    if not len(key):
        return np.zeros(0, bool)
    number = np.cumsum(np.diff(key, prepend=key[0]) != 0)  # of the key, from 0 on
    waiting = np.cumsum(np.where(is_on, 1, -1))
    begins = np.searchsorted(key, key)
    waiting -= np.concatenate([[0], waiting])[begins]
    floor = -number * (2 * len(key) + 1)  # puts every key far below the keys before it
    lowest = np.minimum.accumulate(floor + np.minimum(waiting, 0))
    before = np.concatenate([[0], lowest[:-1]])
    return np.asarray(~is_on & (lowest < np.minimum(before, floor)))


def _last_before(asked: Ints, order: Ints, group: Ints, place: Ints, num_events: int) -> Ints:
    """The index of the last event of each `asked` group [n] before place `order` [n], or -1.

    `group` and `place` [events] describe the events to search, sorted by group and then by place.
    """
    found = np.searchsorted(group * num_events + place, asked * num_events + order) - 1
    hit = found >= 0
    hit[hit] = group[found[hit]] == asked[hit]
    return np.where(hit, found, -1)


def _programs(events: MidiEvents, notes: _NoteColumns) -> Ints:
    """The program of each note: the last one of its own track, else the last one of any track, else 0."""
    place = np.flatnonzero(events.kind == PROGRAM)
    program = np.zeros(len(notes.order), np.int64)
    for shift in (0, 12):  # first by channel alone, then by chunk and channel
        group = events.channel[place] + (events.chunk[place] << shift if shift else 0)
        asked = notes.channel + (notes.chunk << shift if shift else 0)
        by_group = np.argsort(group, kind="stable")
        found = _last_before(asked, notes.order, group[by_group], place[by_group], len(events.tick))
        if len(place):
            program = np.where(found >= 0, events.data1[place[by_group]][found], program)
    return program


def _pedalled(events: MidiEvents, notes: _NoteColumns) -> Ints:
    """The ticks at which the notes end once the sustain pedal has extended those released while it is down."""
    place = np.flatnonzero(events.kind == CONTROL)
    if not len(place):
        return notes.end
    place = place[np.argsort(events.channel[place], kind="stable")]
    channel, is_down = events.channel[place], events.data2[place] >= PEDAL_DOWN
    # A pedal event in the tick of the release comes first.
    after = np.searchsorted(events.tick, notes.end, side="right")
    found = _last_before(notes.channel, after, channel, place, len(events.tick))
    held = (found >= 0) & is_down[found]
    # For each event: the tick of the channel's next event with the pedal up, or the last tick of the file.
    number = np.arange(len(place))
    up = np.minimum.accumulate(np.where(is_down, len(place), number)[::-1])[::-1]
    last = events.tick.max()
    until = np.append(events.tick[place], last)[up]
    until = np.where(np.append(channel, -1)[up] == channel, until, last)
    return np.where(held, np.maximum(notes.end, np.minimum(until[found], notes.again)), notes.end)
