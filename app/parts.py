"""The part of each slot of a query as notes: computed from its audio when asked for, as documents and as MIDI files.

Notes are read by the network of basic-pitch and given to the slots by what their answer says of them
(`models/recognition/lane_notes.py`). Reading them takes longer than the retrieval, so it waits until it is asked for. The notes
of the last queries stay in memory.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath

from pydantic import ConfigDict, Field

from app.archive import clean_name
from app.question import AskedRange
from app.schemas import Document, QueryAnswer, SlotOut
from index.families import program_of_family
from index.sources.base import Floats, Note
from models.audio import Decoded
from models.errors import AudioGone, NoNotes, SlotNotFound
from models.recognition.frame_level_recogniser import resampled
from models.recognition.lane_notes import CONFIDENT, LaneNotes, SoundingLane, notes_of_lanes
from models.recognition.midi_file import midi_bytes, velocity_of
from models.recognition.notes import HeardNote, read_notes, single_pitch
from models.recognition.pitch_estimator import PITCH_WEIGHTS, PitchEstimator

KEPT = 16  # ranges of audio whose notes stay in memory


class PartOut(Document):
    """The part of one slot: how many notes, in which range, and how surely they are its own."""

    slot: int = Field(description="Number of the slot.")
    num_notes: int = Field(description="Number of its notes; none of drums.")
    lowest_pitch: int | None = Field(description="Lowest of its pitches, as MIDI counts; null without notes.")
    highest_pitch: int | None = Field(description="Highest of its pitches; null without notes.")
    confidence: float = Field(
        description="How surely the notes are those of this slot, 0 to 1: the mean of its share in each of them times the "
        "probability that the note begins there."
    )
    confident: bool = Field(
        description="Whether the confidence reaches `least_confidence`: the page offers these parts alone."
    )


class PartsOut(Document):
    """The parts of a query as far as notes tell them."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "query": "q_8c2f6ad0915e",
                "least_confidence": 0.45,
                "parts": [
                    {
                        "slot": 0,
                        "num_notes": 24,
                        "lowest_pitch": 33,
                        "highest_pitch": 48,
                        "confidence": 0.62,
                        "confident": True,
                    }
                ],
            }
        }
    )

    query: str = Field(description="Id of the query.")
    least_confidence: float = Field(
        description="Confidence from which on a part is offered, chosen on validation instruments."
    )
    parts: list[PartOut] = Field(description="The part of each slot, in the order of the answer.")


@dataclass(frozen=True)
class QueryParts:
    """The notes of each slot of an answer, and all that are heard, in seconds of its file."""

    answer: QueryAnswer
    lanes: tuple[LaneNotes, ...]
    heard: tuple[HeardNote, ...] = ()

    @property
    def document(self) -> PartsOut:
        """The parts without their notes."""
        pairs = zip(self.answer.slots, self.lanes, strict=True)
        return PartsOut(
            query=self.answer.id,
            least_confidence=CONFIDENT,
            parts=[_part_out(slot, lane) for slot, lane in pairs],
        )

    def notes(self, number: int) -> tuple[HeardNote, ...]:
        """The notes of a slot, at least one. Raises SlotNotFound and NoNotes."""
        slot, lane = self._of(number)
        if not lane.notes:
            played = f", which is heard as {slot.family}" if slot.family else ""
            raise NoNotes(f"slot {number}{played}, has no notes", value=number, limit="a slot with notes")
        return lane.notes

    def midi(self, number: int) -> bytes:
        """A MIDI file of the part of a slot, which begins with the audio file. Raises SlotNotFound and NoNotes."""
        slot, _ = self._of(number)
        program = None if slot.family is None else program_of_family(slot.family)
        return midi_bytes(self.notes(number), f"{_label(slot)} of {self.answer.name}", program)

    def file_name(self, number: int) -> str:
        """The name of the MIDI file of a slot. Raises SlotNotFound."""
        slot, _ = self._of(number)
        return clean_name(f"{PurePath(self.answer.name).stem} - {_label(slot)}.mid")

    def to_play(self, number: int) -> tuple[tuple[Note, ...], float]:
        """The notes of a slot from the beginning of the queried range on, and its length. Raises SlotNotFound, NoNotes."""
        start, end = self.answer.range_seconds
        notes = self.notes(number)
        played = tuple(
            Note(note.pitch, velocity_of(note), note.start_seconds - start, note.end_seconds - start)
            for note in notes
        )
        return played, end - start

    def place_of(self, number: int) -> int:
        """The place of a slot in the answer. Raises SlotNotFound."""
        for place, slot in enumerate(self.answer.slots):
            if slot.slot == number:
                return place
        message = f"query {self.answer.id} has no slot {number}"
        raise SlotNotFound(message, value=number, limit=f"{len(self.lanes)} slots")

    def _of(self, number: int) -> tuple[SlotOut, LaneNotes]:
        place = self.place_of(number)
        return self.answer.slots[place], self.lanes[place]


def _label(slot: SlotOut) -> str:
    """The name of a part: lanes count from 1, as on the page."""
    return f"{slot.slot + 1} {slot.family or 'unknown'}"


def _part_out(slot: SlotOut, lane: LaneNotes) -> PartOut:
    pitches = [note.pitch for note in lane.notes]
    return PartOut(
        slot=slot.slot,
        num_notes=len(pitches),
        lowest_pitch=min(pitches, default=None),
        highest_pitch=max(pitches, default=None),
        confidence=round(lane.confidence, 4),
        confident=lane.is_confident,
    )


class PartReader:
    """Reads the notes of queries, and keeps those of the newest audio: a query that is asked again has the same notes.

    Thread-safe; the network is loaded when it is first needed.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._kept: OrderedDict[_AudioKey, tuple[HeardNote, ...]] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def _estimator(self) -> PitchEstimator:
        return PitchEstimator.load(PITCH_WEIGHTS, self._device)

    def kept(self, answer: QueryAnswer, audio: Path) -> QueryParts | None:
        """The parts of an answer if the notes of its `audio` are in memory."""
        with self._lock:
            notes = self._kept.get(_key_of(answer, audio))
        return None if notes is None else parts_of(notes, answer)

    def read(self, answer: QueryAnswer, audio: Path, decoded: Decoded) -> QueryParts:
        """Read the parts of an answer from its `audio`, decoded over the queried range."""
        activity = self._estimator.activity(resampled(decoded.samples, decoded.sample_rate))
        notes = read_notes(activity, missed_onsets=False)
        with self._lock:
            self._kept[_key_of(answer, audio)] = notes
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return parts_of(notes, answer)

    def pitch_of(self, samples: Floats, sample_rate: int) -> float | None:
        """The MIDI pitch of `samples [n]` (mono) that hold one note; None if they hold none, or several."""
        return single_pitch(read_notes(self._estimator.activity(resampled(samples, sample_rate))))


_AudioKey = tuple[int, int, int, int, float, float]


def _key_of(answer: QueryAnswer, audio: Path) -> _AudioKey:
    """The file, which several queries may link, as it is now, and the range of it."""
    try:
        status = audio.stat()
    except FileNotFoundError as error:  # deleted since, to make room for newer ones
        raise AudioGone(f"the audio of query {answer.id} is no longer stored", value=answer.id) from error
    file = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return (*file, *answer.range_seconds)


def parts_of(notes: Sequence[HeardNote], answer: QueryAnswer) -> QueryParts:
    """Give notes, in seconds of the queried range, to the slots of its answer; the result counts in seconds of the file."""
    start = answer.range_seconds[0]
    moved = tuple(
        replace(note, start_seconds=note.start_seconds + start, end_seconds=note.end_seconds + start)
        for note in notes
    )
    return QueryParts(answer, notes_of_lanes(moved, sounding_lanes(answer)), moved)


def sounding_lanes(answer: QueryAnswer) -> list[SoundingLane]:
    """Return the lanes of an answer as it tells them, in the order of its slots."""
    return [SoundingLane(tuple(slot.curve), tuple(slot.active), slot.families) for slot in answer.slots]


def asked_range(answer: QueryAnswer) -> AskedRange:
    """The range of its audio that an answer is about."""
    start, end = answer.range_seconds
    return AskedRange(start_seconds=start, end_seconds=end)
