"""Protocol `answers`: what the service answers to whole recordings, lane by lane, for a musician to read.

Kim et al. 2022, section 6 ask for real music. Nothing is scored: the truth is what the listener hears, and the labels of the
recordings stand beside.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from index.lane_families import families_of_lanes, most_probable
from index.retrieval import encode_samples
from models.audio import decode
from models.encoder_pair import EncoderPair
from models.errors import TrainingError
from training.evaluation.bootstrap import Estimate
from training.evaluation.enrolled_library import EnrolledLibrary
from training.evaluation.metrics import Floats
from training.evaluation.report import ReportRow, Table
from training.evaluation.served import HITS, answer, lane_matches

NAME = "answers"
SPLIT = "recordings"
INDEX = "index.json"  # of a folder of recordings: a list of {"file", "labels"}
NAMED_HITS = 3


def labelled_recordings(folder: Path) -> dict[Path, str]:
    """The recordings of a folder, with what its `INDEX` says that they hold. Raises TrainingError without a usable index."""
    path = folder / INDEX
    try:
        rows = json.loads(path.read_text())
        return {folder / Path(row["file"]).name: ", ".join(row["labels"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path} is no list of recordings with file and labels: {error!r}"
        raise TrainingError(message, value=str(path)) from error


def tables(pair: EncoderPair, folder: Path, library: EnrolledLibrary) -> Iterator[Table]:
    """Yield a table for each recording of a folder.

    Raises TrainingError for a folder without an index, AudioError for a recording that cannot be read or is silent.
    """
    for path, labels in sorted(labelled_recordings(folder).items()):
        samples = decode(path, sample_rate=pair.sample_rate).samples
        note = f"{len(samples) / pair.sample_rate:.0f} s, asked of {library.describe()}"
        title = path.name.partition(".")[0].replace("_", " ").strip() + (f" ({labels})" if labels else "")
        yield Table(NAME, SPLIT, path.stem, title, (note,), tuple(lane_rows(pair, library, samples)))


def lane_rows(pair: EncoderPair, library: EnrolledLibrary, samples: Floats) -> Iterator[ReportRow]:
    """Yield a row for each lane: its family and first hits, presence, and the probability of its match."""
    slots, _ = encode_samples(pair, samples)
    space = library.space(pair.family)
    found = answer(slots, space, pair.presence_threshold, library.hidden)
    matches = lane_matches(pair, found, slots, space, library)
    embedding = np.array([track.embedding for track in found.tracks], np.float32)
    families = families_of_lanes(embedding, found.similarity, matches, library.families, space)
    for lane, (similarity, match) in enumerate(zip(found.similarity, matches, strict=True)):
        places = np.argsort(-similarity, kind="stable")[:HITS]
        family = most_probable(families[lane])
        names = ", ".join(library.names[place] for place in places[:NAMED_HITS])
        figures = {
            "presence": Estimate(float(found.presence[lane])),
            "match_probability": Estimate(match.probability),
        }
        yield ReportRow(f"{lane + 1} {family or 'unknown'} ({match.word}): {names}", figures)
