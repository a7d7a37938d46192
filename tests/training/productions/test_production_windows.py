"""Training reads productions as windows of five seconds: mixtures of the stems that sound in them."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import TrainingError
from training.bank import Bank
from training.productions.truth import TRUTH_FILE, read_truth
from training.stored_mixtures import HEARD_SECONDS, open_mixtures

RATE = 16_000


def test_windows_of_productions_are_mixtures_of_the_stems_that_sound(made: Path) -> None:
    whole, windows = Bank.open(made, "test-same", "multi"), open_mixtures(made, "test-same", 5 * RATE)
    assert windows.kind == "multi"
    assert windows.clip_samples == 5 * RATE
    assert whole.num_mixtures < windows.num_mixtures <= 3 * whole.num_mixtures
    truth, place = read_truth(made / "test-same"), 0
    for production, parts in enumerate(truth):
        stems = whole.rows(range(whole.offsets[production], whole.offsets[production + 1]))
        for window in range(3):
            begin, end = 5.0 * window, 5.0 * (window + 1)
            heard = [
                number
                for number, part in enumerate(parts)
                if sum(max(0.0, min(end, b) - max(begin, a)) for a, b in part.spans) >= HEARD_SECONDS
            ]
            if len(heard) < 2:
                continue
            rows = range(windows.offsets[place], windows.offsets[place + 1])
            cut = stems[heard, round(begin * RATE) : round(end * RATE)]
            assert np.array_equal(windows.rows(rows), cut)
            ids = [windows.instruments[at].id for at in windows.instrument_of_clip[rows]]
            assert ids == [parts[number].id for number in heard]
            place += 1
    assert place == windows.num_mixtures


def test_a_truth_of_other_productions_is_refused(made: Path, tmp_path: Path) -> None:
    for path in made.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    path = tmp_path / "test-same" / TRUTH_FILE
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    with pytest.raises(TrainingError, match="is not of its 3 productions"):
        open_mixtures(tmp_path, "test-same", 5 * RATE)
