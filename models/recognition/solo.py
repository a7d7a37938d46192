"""The network of solo recognition: three seconds of one instrument → the probability of its family.

Segal 2016 ("Automatic Musical Instrument Recognition Using Convolutional Neural Networks"): log-mel 128 x 130, four times a
3x3 convolution of 64 kernels, ReLU and 2x2 max-pooling, a dense layer of 1,024 units, softmax. Where the thesis and its code
differ: the input is log-mel (the code takes power), and dropout follows convolutions 2 to 4 and the dense layer (the code
leaves out the second). Two things differ from both:

- The thesis works at 22.05 kHz. All our audio is at 16 kHz, in the data sets and in the service, so nothing above 8 kHz is
  heard. The clip of 3 s and the image of 128 x 130 stay: 372 samples for 512 (23.25 ms for 23.22), a window of 1,536 samples
  for 2,048 (96 ms for 93).
- The mel filters and the level of the clip are those of the encoders' front end (`models/front_end.py`).
"""

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from models.front_end import FrontEnd, FrontEndConfig

SOLO_FILE = "solo.safetensors"  # in the folder of a training run
FRONT_END = FrontEndConfig(clip_seconds=3.0, n_fft=1536, hop_length=372)
CONVOLUTIONS = 4
UNDROPPED = 1  # convolutions without dropout, from the first


@dataclass(frozen=True)
class SoloConfig:
    """All that is needed to rebuild the network and to gate its input; `families` are the classes, in their order.

    A window is silent below `silence_dbfs` (RMS, full scale 1), or more than `gate_db` below the loudest window.
    """

    families: tuple[str, ...] = ()
    width: int = 64
    hidden: int = 1024
    dropout: float = 0.5
    silence_dbfs: float = -70.0
    gate_db: float = 40.0
    front_end: FrontEndConfig = FRONT_END

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1 or min(self.width, self.hidden) < 1 or self.gate_db <= 0:
            raise ValueError(
                f"dropout {self.dropout} must lie in 0…1, width {self.width}, hidden {self.hidden} and "
                f"gate_db {self.gate_db} above 0"
            )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SoloConfig":
        front_end = FrontEndConfig(**{**FRONT_END.to_dict(), **values.get("front_end", {})})
        families = tuple(values.get("families", ()))
        return cls(**{**values, "front_end": front_end, "families": families})


class SoloNetwork(nn.Module):
    """Images or waveforms of three seconds → one logit for each family (4.8 M parameters with 14 families)."""

    def __init__(self, config: SoloConfig) -> None:
        """Raises ValueError for fewer than two families, which leave nothing to tell apart."""
        super().__init__()
        if len(config.families) < 2 or len(set(config.families)) != len(config.families):
            raise ValueError(f"families are {list(config.families)}; at least two different ones are wanted")
        self.config = config
        self.front_end = FrontEnd(config.front_end)
        layers: list[nn.Module] = []
        channels, rows, columns = 1, config.front_end.n_mels, config.front_end.num_frames
        for place in range(CONVOLUTIONS):
            # Pooling before the ReLU gives the same values and leaves it a quarter of them.
            pool = nn.MaxPool2d(2, ceil_mode=True)
            layers += [nn.Conv2d(channels, config.width, 3, padding=1), pool, nn.ReLU()]
            if place >= UNDROPPED:
                layers.append(nn.Dropout(config.dropout))
            channels, rows, columns = config.width, -(-rows // 2), -(-columns // 2)
        flat = channels * rows * columns  # 64 · 8 · 9 = 4,608
        layers += [nn.Flatten(), nn.Linear(flat, config.hidden), nn.ReLU(), nn.Dropout(config.dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(config.hidden, len(config.families)))
        for module in self.layers:
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def logits_of(self, image: Tensor) -> Tensor:
        """`image [batch, 1, n_mels, frames]` → `[batch, families]`."""
        out: Tensor = self.layers(image)
        return out

    def forward(self, wave: Tensor) -> Tensor:
        """`wave [batch, samples]` at the front end's rate → logits `[batch, families]`."""
        return self.logits_of(self.front_end(wave))
