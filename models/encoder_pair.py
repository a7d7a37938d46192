"""The two encoders as serving and the index use them: numpy in, numpy out, in batches, thread-safe.

A multi encoder names the single encoder whose embeddings it learnt to give, a match model the pair that it was fitted to;
loading refuses files that do not belong together. The frame-level network beside them hears audio, so it belongs to any pair;
the timeline model was fitted to the pair and the frame-level network.
"""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoint import file_hash, load_multi, load_single
from models.device import autocast, choose_device
from models.encoders import MultiInstrumentEncoder, SingleInstrumentEncoder
from models.errors import CheckpointError, EncoderMismatch, RecogniserMissing
from models.family import FamilyModel
from models.match import MatchModel
from models.recognition.frame_level_recogniser import FrameLevelRecogniser
from models.recognition.timeline_model import TimelineModel

WEIGHTS = Path(__file__).parent / "weights"
SINGLE_FILE, MULTI_FILE = "single.safetensors", "multi.safetensors"
FAMILY_FILE, MATCH_FILE = "family.safetensors", "match.safetensors"
INSTRUMENT_FAMILY_FILE = "instrument_family.safetensors"
FRAME_LEVEL_FILE, TIMELINE_FILE = "frame_level.safetensors", "timeline.json"
Floats = NDArray[np.float32]


class EncoderPair:
    """A single and a multi encoder that belong together, on one device.

    `embed` and `encode` take float32 clips at `sample_rate`; both are thread-safe and deterministic for a given batch.
    `match` and `family` (of slots) are None for encoders that have not been released, `instrument_family` (of single
    instruments' clips) and `frame_level` where no such file lies beside them; `timeline` comes with `frame_level`.
    `batch_sizes` counts, for each encoder, the batches of each size that it was given.
    """

    batch_size = 32
    instrument_family: FamilyModel | None = None
    frame_level: FrameLevelRecogniser | None = None
    timeline: TimelineModel | None = None

    def __init__(
        self,
        single: SingleInstrumentEncoder,
        multi: MultiInstrumentEncoder,
        encoder_hash: str,
        device: torch.device,
        presence_threshold: float = 0.5,
        match: MatchModel | None = None,
        family: FamilyModel | None = None,
    ) -> None:
        if single.config.front_end != multi.config.front_end:
            raise EncoderMismatch("the encoders have different front ends", value=multi.config.front_end)
        self._single = single.to(device).eval()
        self._multi = multi.to(device).eval()
        self._device = device
        self._lock = threading.Lock()
        self.encoder_hash = encoder_hash
        self.presence_threshold = presence_threshold
        self.match = match
        self.family = family
        self.device = str(device)
        self.sample_rate = single.config.front_end.sample_rate
        self.clip_samples = single.config.front_end.clip_samples
        self.embedding_dim = single.config.embedding_dim
        self.num_slots = multi.config.num_slots
        self.batch_sizes: dict[str, Counter[int]] = {"single": Counter(), "multi": Counter()}

    @classmethod
    def load(
        cls,
        weights_dir: Path | None = None,
        device: str = "auto",
        *,
        with_family: bool = True,
        with_instrument_family: bool = True,
        with_match: bool = True,
        with_timeline: bool = True,
    ) -> "EncoderPair":
        """Load the encoders and, where there are, the models and networks beside them; None means the shipped weights.

        Raises CheckpointError if an encoder is missing or a file is damaged, EncoderMismatch if they do not belong together.
        """
        folder = weights_dir or WEIGHTS
        single, _ = load_single(folder / SINGLE_FILE)
        multi, header = load_multi(folder / MULTI_FILE)
        encoder_hash = file_hash(folder / SINGLE_FILE)
        if header.target_encoder != encoder_hash:
            raise EncoderMismatch(
                f"{MULTI_FILE} was trained against {header.target_encoder}, but {SINGLE_FILE} is {encoder_hash}; "
                "use two files of one training",
                value=encoder_hash,
                limit=header.target_encoder,
            )
        hashes = encoder_hash, file_hash(folder / MULTI_FILE)
        family_path, match_path = folder / FAMILY_FILE, folder / MATCH_FILE
        family = FamilyModel.load(family_path, *hashes) if with_family and family_path.exists() else None
        match = MatchModel.load(match_path, *hashes) if with_match and match_path.exists() else None
        pair = cls(
            single, multi, encoder_hash, choose_device(device), header.presence_threshold, match, family
        )
        if with_instrument_family and (folder / INSTRUMENT_FAMILY_FILE).exists():
            pair.instrument_family = FamilyModel.load(folder / INSTRUMENT_FAMILY_FILE, encoder_hash, None)
        if (folder / FRAME_LEVEL_FILE).exists():
            pair.frame_level = FrameLevelRecogniser.load(folder / FRAME_LEVEL_FILE, device)
            if with_timeline:
                pair.timeline = TimelineModel.load(folder / TIMELINE_FILE, timeline_files(folder))
        return pair

    def calibrated_match(self) -> MatchModel:
        """The match model. Raises CheckpointError if there is none: only released encoders answer queries."""
        if self.match is None:
            raise CheckpointError(
                f"the encoders come without {MATCH_FILE}, so nothing tells how good a match is; fit it with "
                "`python -m training.match`",
                value=None,
                limit=MATCH_FILE,
            )
        return self.match

    def fitted_family(self) -> FamilyModel:
        """The family model. Raises CheckpointError if there is none."""
        if self.family is None:
            raise CheckpointError(
                f"the encoders come without {FAMILY_FILE}, so no families are heard; fit it with "
                "`python -m training.family`",
                value=None,
                limit=FAMILY_FILE,
            )
        return self.family

    def frame_level_recogniser(self) -> FrameLevelRecogniser:
        """The frame-level network. Raises RecogniserMissing if there is none."""
        if self.frame_level is None:
            raise RecogniserMissing(
                f"the encoders come without {FRAME_LEVEL_FILE}, so nobody hears which families sound when; train it with "
                "`showme train frame-level`",
                limit=FRAME_LEVEL_FILE,
            )
        return self.frame_level

    def embed(self, clips: Floats) -> Floats:
        """`clips [n, clip_samples]` → unit-norm embeddings `[n, dim]`."""
        return self._batched("single", clips, lambda wave: (self._single(wave),))[0]

    def encode(self, windows: Floats) -> tuple[Floats, Floats]:
        """`windows [w, clip_samples]` → slot embeddings `[w, M, dim]` of unit norm and presence `[w, M]`."""

        def slots(wave: torch.Tensor) -> tuple[torch.Tensor, ...]:
            out = self._multi(wave)
            return out.embedding, out.presence

        embedding, presence = self._batched("multi", windows, slots)
        return embedding, presence

    def _batched(
        self, kind: str, clips: Floats, network: Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
    ) -> tuple[Floats, ...]:
        if clips.ndim != 2 or clips.shape[1] != self.clip_samples or not len(clips):
            raise ValueError(f"expected clips [n ≥ 1, {self.clip_samples}], got shape {clips.shape}")
        parts: list[tuple[torch.Tensor, ...]] = []
        use_bfloat16 = self._device.type == "cuda"
        with self._lock, torch.inference_mode(), autocast(self._device, use_bfloat16):
            for start in range(0, len(clips), self.batch_size):
                wave = torch.from_numpy(np.ascontiguousarray(clips[start : start + self.batch_size]))
                self.batch_sizes[kind][len(wave)] += 1
                parts.append(tuple(value.float().cpu() for value in network(wave.to(self._device))))
        return tuple(torch.cat(columns).numpy() for columns in zip(*parts, strict=True))


def timeline_files(folder: Path) -> dict[str, str]:
    """The hashes of the files that a timeline model is fitted to, by name."""
    names = MULTI_FILE, FAMILY_FILE, FRAME_LEVEL_FILE
    return {name: file_hash(folder / name) for name in names}
