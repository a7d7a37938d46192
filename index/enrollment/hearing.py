"""How instruments sound to the encoders: their clips' embeddings, the mean of these, and their recognised families.

Section 5.1 of Kim et al. 2022: an instrument's enrollment embedding is the mean of its clips' embeddings, here normalised.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from index.sources.base import Floats, SourceInstrument
from index.sources.folder import FolderInstrument
from models.encoder_pair import EncoderPair
from models.errors import SilentAudio, SourceError
from models.family import FamilyModel

_MIN_MEAN_NORM = 1e-3  # below it the clips' embeddings cancel out, and their mean has no direction


class HeardInstrument(NamedTuple):
    """The encoder's view of an instrument: `clips [clips, dim]`, and their normalised `mean [dim]`.

    `families` are the recognised probabilities, None where its source names the family or nothing recognises one.
    """

    clips: Floats
    mean: Floats
    families: dict[str, float] | None


def hear_instrument(pair: EncoderPair, instrument: SourceInstrument) -> HeardInstrument:
    """Embed an instrument's clips, and recognise its family if its source names none.

    Raises SourceError if it has no usable clip, or if its embeddings cancel out.
    """
    audio = instrument.clips(pair.sample_rate, pair.clip_samples)
    return _heard(pair, instrument, pair.embed(audio))


def hear_sound(pair: EncoderPair, samples: Floats, name: str) -> HeardInstrument:
    """Hear one sound, `samples [n]` (mono, at the pair's rate), as an instrument that is enrolled from its recording.

    Raises SilentAudio.
    """

    def start_of(path: Path, sample_rate: int, seconds: float) -> Floats:
        return samples[: round(seconds * sample_rate)]

    try:
        return hear_instrument(pair, FolderInstrument("", name, [Path(name)], name, None, start_of))
    except SourceError as error:
        raise SilentAudio(f"{name} is silent", value=name) from error


def hear_together(
    pair: EncoderPair, instruments: Sequence[tuple[SourceInstrument, Floats]]
) -> list[HeardInstrument | SourceError]:
    """Hear instruments with their clips `[clips, samples]`: the encoder is given those of several at once.

    The error of an instrument stands in its place. Embeddings are those of `hear_instrument` up to rounding (1e-5).
    """
    embedded = pair.embed(np.concatenate([clips for _, clips in instruments]))  # [all clips, dim]
    ends = np.cumsum([len(clips) for _, clips in instruments])[:-1]
    found: list[HeardInstrument | SourceError] = []
    for (instrument, _), clips in zip(instruments, np.split(embedded, ends), strict=True):
        try:
            found.append(_heard(pair, instrument, clips))
        except SourceError as error:
            found.append(error)
    return found


def _heard(pair: EncoderPair, instrument: SourceInstrument, clips: Floats) -> HeardInstrument:
    mean = clips.mean(axis=0)
    norm = float(np.linalg.norm(mean))
    if not norm > _MIN_MEAN_NORM:  # also true for NaN
        raise SourceError(
            f"the clips of {instrument.name} have no usable mean embedding", value=instrument.source
        )
    model = pair.instrument_family
    families = recognise(model, clips) if model and instrument.family is None else None
    return HeardInstrument(clips, mean / norm, families)


def recognise(model: FamilyModel, clips: Floats) -> dict[str, float]:
    """The mean probability of each family over an instrument's `clips [clips, dim]`, the most probable first."""
    share = model.probability(clips).mean(axis=0)
    return {
        model.families[place]: round(float(share[place]), 4) for place in np.argsort(-share, kind="stable")
    }
