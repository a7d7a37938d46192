"""Tracks of notes equal a slow reference built on mido's messages; pedals hold, programs and pedals act on channels."""

from collections import defaultdict
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.tiny_midi import (
    A_BEAT,
    AT_ONCE,
    BEAT,
    DOWN,
    END,
    LET_GO,
    PRESS,
    UP,
    file_of,
    times_in,
    tracks_in,
)
from tests.training.tiny_notes import write_midi
from training.midi_notes import MAX_NOTE_SECONDS, MIN_NOTE_SECONDS, read_tracks
from training.smf import MidiDamaged


def slow_tracks(midi: mido.MidiFile) -> dict[tuple[int, int, int], list[list[float]]]:
    """Reference for `read_tracks`, by (chunk, channel, program): message by message, with queues and loops."""
    messages: list[
        tuple[int, bool, int, int, mido.Message]
    ] = []  # (tick, whether it is a note, its place in the file, chunk, message)
    for number, track in enumerate(midi.tracks):
        tick = 0
        for message in track:
            tick += message.time
            messages.append((tick, message.type.startswith("note"), len(messages), number, message))
    messages.sort(key=lambda entry: entry[:3])
    tempos = [(0, 500_000)] + [(tick, m.tempo) for tick, _, _, _, m in messages if m.type == "set_tempo"]

    def seconds(tick: int) -> float:
        total = 0.0
        for (here, tempo), (after, _) in zip(tempos, [*tempos[1:], (tick, 0)], strict=True):
            total += max(0, min(after, tick) - here) * tempo / 1e6 / midi.ticks_per_beat
        return total

    pedals: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for tick, _, _, _, m in messages:
        if m.type == "control_change" and m.control == 64:
            pedals[m.channel].append((tick, m.value >= 64))
    ours = ("note_on", "note_off", "program_change")
    last = max(
        (
            tick
            for tick, *_, m in messages
            if m.type in ours or (m.type == "control_change" and m.control == 64)
        ),
        default=0,
    )
    program: dict[object, int] = {}
    waiting: dict[tuple[int, int, int], list[tuple[int, int, int]]] = defaultdict(list)
    onsets: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    rows: dict[tuple[int, int, int], list[list[float]]] = defaultdict(list)
    for tick, _, _, number, m in messages:
        if m.type == "program_change":
            program[m.channel] = program[number, m.channel] = m.program
        elif m.type == "note_on" and m.velocity:
            chosen = program.get((number, m.channel), program.get(m.channel, 0))
            waiting[number, m.channel, m.note].append((tick, m.velocity, chosen))
            onsets[number, m.channel, m.note].append(tick)
    queues: dict[tuple[int, int, int], list[tuple[int, int, int, int]]] = defaultdict(list)
    for tick, _, _, number, m in messages:
        if not m.type.startswith("note"):
            continue
        key = (number, m.channel, m.note)
        if m.type == "note_on" and m.velocity:
            queues[key].append((*waiting[key].pop(0), len(onsets[key]) - len(waiting[key])))
        elif queues[key]:
            start, velocity, chosen, following = queues[key].pop(0)
            end = tick
            before = [down for at, down in pedals[m.channel] if at <= tick]
            if before and before[-1]:
                releases = [at for at, down in pedals[m.channel] if at > tick and not down]
                end = max(end, min([*releases[:1], *onsets[key][following : following + 1], last]))
            first = seconds(start)
            sounding = min(max(seconds(end) - first, MIN_NOTE_SECONDS), MAX_NOTE_SECONDS)
            rows[number, m.channel, chosen].append([m.note, velocity, first, first + sounding])
    return {key: sorted(rows[key], key=lambda row: (row[2], row[0])) for key in sorted(rows)}


CHANNELS = st.sampled_from([0, 1, 9])
MESSAGES = st.one_of(
    st.builds(
        mido.Message,
        st.just("note_on"),
        channel=CHANNELS,
        note=st.sampled_from([60, 61]),
        velocity=st.sampled_from([0, 64, 90]),
        time=st.sampled_from([0, 0, 1, 48, 480, 30_000]),
    ),
    st.builds(
        mido.Message, st.just("note_off"), channel=CHANNELS, note=st.just(60), time=st.integers(0, 300)
    ),
    st.builds(
        mido.Message,
        st.just("control_change"),
        channel=CHANNELS,
        control=st.sampled_from([64, 64, 7]),
        value=st.sampled_from([0, 63, 64, 127]),
        time=st.integers(0, 300),
    ),
    st.builds(
        mido.Message, st.just("program_change"), channel=CHANNELS, program=st.sampled_from([0, 40, 73])
    ),
    st.builds(mido.MetaMessage, st.just("set_tempo"), tempo=st.integers(100_000, 900_000), time=st.just(7)),
)


@settings(max_examples=150, deadline=None)
@given(tracks=st.lists(st.lists(MESSAGES, max_size=25), min_size=1, max_size=3))
def test_tracks_are_those_of_the_slow_twin(
    tracks: list[list[mido.Message]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("twin") / "twin.mid"
    midi = mido.MidiFile(ticks_per_beat=480, tracks=[mido.MidiTrack(track) for track in tracks])
    midi.save(path)
    wanted = slow_tracks(midi) if any(track for track in tracks) else {}
    if not wanted:
        with pytest.raises(MidiDamaged, match="no notes"):
            read_tracks(path)
        return
    found = read_tracks(path)
    assert [(track.program, track.is_drum) for track in found] == [(key[2], key[1] == 9) for key in wanted]
    for track, rows in zip(found, wanted.values(), strict=True):
        assert track.notes.dtype == np.float32
        # Notes of one key and one onset may change places: they are compared by end as well.
        order = np.lexsort((track.notes[:, 1], track.notes[:, 3], track.notes[:, 0], track.notes[:, 2]))
        table = np.array(rows, dtype=np.float32)
        twin = np.lexsort((table[:, 1], table[:, 3], table[:, 0], table[:, 2]))
        np.testing.assert_allclose(track.notes[order], table[twin], atol=2e-3)


def test_tracks_are_separated_by_channel_and_program_with_drums_marked(tmp_path: Path) -> None:
    scale = [(60 + i, 0.5 * i, 0.5 * (i + 1)) for i in range(5)]
    write_midi(tmp_path / "a.mid", [(0, 40, scale), (0, 40, scale[:4]), (9, 16, scale[:3])])
    tracks = read_tracks(tmp_path / "a.mid")
    found = [(track.program, track.is_drum, len(track.notes)) for track in tracks]
    assert found == [(40, False, 5), (40, False, 4), (16, True, 3)]
    np.testing.assert_allclose(tracks[0].notes[2], [62, 90, 1.0, 1.5], atol=1e-3)


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([DOWN, AT_ONCE + PRESS, A_BEAT + LET_GO, A_BEAT + UP], [(0, 2)]),
        ([PRESS, A_BEAT + LET_GO, A_BEAT + DOWN, A_BEAT + UP], [(0, 1)]),
        ([PRESS, AT_ONCE + DOWN, A_BEAT + UP, AT_ONCE + LET_GO], [(0, 1)]),
        ([PRESS, A_BEAT + LET_GO, AT_ONCE + DOWN, A_BEAT + UP], [(0, 2)]),
        (
            [DOWN, AT_ONCE + PRESS, A_BEAT + LET_GO, A_BEAT + PRESS, A_BEAT + LET_GO, A_BEAT + UP],
            [(0, 2), (2, 4)],
        ),
        ([DOWN, AT_ONCE + PRESS, A_BEAT + LET_GO, A_BEAT + b"\x91\x3e\x40", A_BEAT + b"\x81\x3e\0"], [(0, 3), (2, 3)]),
        ([DOWN, AT_ONCE + PRESS, A_BEAT + LET_GO, b"\x81\xf0\0" + UP], [(0, MAX_NOTE_SECONDS / BEAT)]),
    ],
    ids=["held", "too late", "up again", "same tick", "struck again", "never up: to the end", "capped"],
)  # fmt: skip
def test_notes_are_held_while_the_pedal_is_down(
    events: list[bytes], wanted: list[tuple[float, float]]
) -> None:
    events[0] = AT_ONCE + events[0]
    np.testing.assert_allclose(sorted(times_in(file_of(b"".join(events) + END))), wanted, rtol=1e-6)


def test_pedals_and_programs_act_on_the_channel_in_all_tracks_of_a_port() -> None:
    song = AT_ONCE + PRESS + A_BEAT + LET_GO + END
    conductor = AT_ONCE + b"\xc0\x13" + AT_ONCE + DOWN + b"\x87\x40" + UP + END
    other_port = b"\0\xff\x21\1\1" + song
    tracks = tracks_in(file_of(song, AT_ONCE + b"\xc0\x49" + song, conductor, other_port))
    assert [track.program for track in tracks] == [19, 73, 0]
    np.testing.assert_allclose([track.notes[0, 3] / BEAT for track in tracks], [2, 2, 1], rtol=1e-6)


def test_short_notes_speak_and_those_never_released_are_left_out() -> None:
    staccato = AT_ONCE + PRESS + AT_ONCE + LET_GO + AT_ONCE + b"\x90\x40\x40" + END
    np.testing.assert_allclose(times_in(file_of(staccato)), [(0, MIN_NOTE_SECONDS / BEAT)], rtol=1e-6)
