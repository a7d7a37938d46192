"""Checks the form of a published copy of Nlakh, which carries neither counts nor checksums.

Section 4 of Kim et al. 2022: equally long WAV files, as many clips of each instrument, stems that sum to their mixture.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.errors import TrainingError
from training.nlakh.layouts import MIX_FILE
from training.nlakh.published import Folder, list_folder, read_wav, scan

Form = tuple[int, int]  # clip_samples, sample_rate


def verify_form(folder: Path) -> Iterator[tuple[str, str]]:
    """Yields each fault as (what, why). Raises TrainingError when a folder cannot be listed."""
    form: Form | None = None
    for split in (folder / name for name in list_folder(folder)):
        if not split.is_dir():
            continue
        counts: Counter[int] = Counter()
        for found in scan(split):
            if not found.has_mix:
                counts[len(found.files)] += 1
            try:
                form = _check_folder(found, form)
            except TrainingError as error:
                yield f"{split.name}/{found.path.name}", error.message
        if len(counts) > 1:
            yield split.name, f"instruments have {sorted(counts)} clips: equally many are wanted"


def _check_folder(found: Folder, form: Form | None) -> Form | None:
    """The form of its files, which is `form` if there is one. Raises TrainingError for any other, and for a false sum."""
    total: np.ndarray | None = None
    for _, name in found.files:
        samples, sample_rate = read_wav(found.path / name, form[0] if form else None)
        form = form or (len(samples), sample_rate)
        if sample_rate != form[1]:
            raise TrainingError(
                f"{name} is at {sample_rate} Hz, not {form[1]}", value=sample_rate, limit=form[1]
            )
        if found.has_mix:
            total = samples.astype(np.int32) if total is None else total + samples
    if found.has_mix and (total is None or not np.array_equal(total, read_wav(found.path / MIX_FILE)[0])):
        raise TrainingError(f"the stems do not sum to {MIX_FILE}", value=str(found.path))
    return form
