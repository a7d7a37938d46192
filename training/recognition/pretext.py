"""The objectives by which the extractor of features learns before any label of a mixture is seen.

Taenzer et al. 2021, section 4.1: denoising, textual description, and the alignment of audio and tags (Favory et al. 2020). To
these the identification of the instrument is added. An objective hears patches of the extractor's log-mel and knows which
instrument each is of.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.recognition.vggish import NUM_BANDS, NUM_FEATURES, PATCH_FRAMES, Vggish
from training.recognition.tag_vectors import TagTable

DECODER = ((128, 10, 0.1), (64, 21, 0.25), (64, 31, 0.5), (NUM_BANDS, 37, None))  # channels, frames, leak
NOISE_DEVIATION, KEPT_SHARE = 0.1, 0.5
TEXT_UNITS, MARGIN = 300, 0.5
TAG_UNITS, ALIGNED, TAG_DROPOUT, TEMPERATURE = (512, 512, 1_152), 1_152, 0.25, 0.1

Noise = Literal["additive", "multiplicative"]


class Denoising(nn.Module):
    """Gives back the log-mel of a patch of which a part is lost: one vector, decoded by transposed convolutions to 96 frames.

    Noise is Gaussian of deviation .1, added to the log-mel, or a mask that keeps each value with probability .5. The kernels
    lengthen one frame to 1 + 9 + 20 + 30 + 36 = 96; the error is the mean square (the text names none).
    """

    def __init__(self, noise: Noise) -> None:
        super().__init__()
        self.noise = noise
        layers: list[nn.Module] = []
        channels = NUM_FEATURES
        for outputs, frames, leak in DECODER:
            layers.append(nn.ConvTranspose1d(channels, outputs, frames))
            layers += [] if leak is None else [nn.LeakyReLU(leak)]
            channels = outputs
        self.decoder = nn.Sequential(*layers)

    def corrupted(self, patch: Tensor) -> Tensor:
        if self.noise == "additive":
            return patch + NOISE_DEVIATION * torch.randn_like(patch)
        return patch * (torch.rand_like(patch) < KEPT_SHARE)

    def forward(self, extractor: Vggish, patch: Tensor, instrument: Tensor) -> Tensor:
        """`patch [batch, 96, 64]` → the mean square error."""
        decoded = self.decoder(extractor.features_of(self.corrupted(patch))[..., None])  # [batch, 64, 96]
        assert decoded.shape[2] == PATCH_FRAMES
        return functional.mse_loss(decoded.float().transpose(1, 2), patch)


class TextualDescription(nn.Module):
    """Gives the mean vector of the words that describe the instrument, by the cosine loss with a margin of .5.

    Normalisation by batch, 300 units, tanh, and a layer to the vectors. The margin concerns pairs that do not belong together:
    a patch and the text of the one before it in the batch, where their texts differ.
    """

    targets: Tensor

    def __init__(self, table: TagTable) -> None:
        super().__init__()
        targets = torch.from_numpy(table.targets())
        self.register_buffer("targets", targets)
        norm, dense = nn.BatchNorm1d(NUM_FEATURES), nn.Linear(NUM_FEATURES, TEXT_UNITS)
        self.layers = nn.Sequential(norm, dense, nn.Tanh(), nn.Linear(TEXT_UNITS, targets.shape[1]))

    def forward(self, extractor: Vggish, patch: Tensor, instrument: Tensor) -> Tensor:
        """`patch [batch, 96, 64]`, `instrument [batch]` → the mean loss of the pairs, and of those that do not belong."""
        told = self.layers(extractor.features_of(patch)).float()
        text = self.targets[instrument]
        other = text.roll(1, dims=0)
        apart = (functional.cosine_similarity(told, other) - MARGIN).clamp(min=0)
        differs = (text != other).any(dim=1)
        return (1 - functional.cosine_similarity(told, text)).mean() + (apart * differs).mean()


class TagAlignment(nn.Module):
    """Brings a patch and the tags of its instrument together, and both away from the others of the batch.

    The encoder of tags is that of Favory et al. 2020: 512, 512 and 1,152 units, each with normalisation by batch, ReLU and
    dropout .25, then a linear layer; an affine layer takes the 128 features to as many. The loss is theirs at the temperature
    .1, but two of a batch with the same tags are no negatives. Their decoders are left out, as Taenzer et al. name none.
    """

    tags: Tensor

    def __init__(self, table: TagTable) -> None:
        super().__init__()
        self.register_buffer("tags", torch.from_numpy(table.tags))
        layers: list[nn.Module] = []
        inputs = len(table.words)
        for outputs in TAG_UNITS:
            layers += [
                nn.Linear(inputs, outputs),
                nn.BatchNorm1d(outputs),
                nn.ReLU(),
                nn.Dropout(TAG_DROPOUT),
            ]
            inputs = outputs
        self.of_tags = nn.Sequential(*layers, nn.Linear(inputs, ALIGNED, bias=False), nn.Dropout(TAG_DROPOUT))
        self.of_audio = nn.Linear(NUM_FEATURES, ALIGNED)

    def forward(self, extractor: Vggish, patch: Tensor, instrument: Tensor) -> Tensor:
        """`patch [batch, 96, 64]`, `instrument [batch]` → the mean cross-entropy of finding the partner."""
        tags = self.tags[instrument]
        audio = self.of_audio(extractor.features_of(patch))
        return contrastive_loss(audio.float(), self.of_tags(tags).float(), tags)


class Identification(nn.Module):
    """Names the training instrument: a linear layer and a softmax over all of them."""

    def __init__(self, num_instruments: int) -> None:
        super().__init__()
        self.layer = nn.Linear(NUM_FEATURES, num_instruments)

    def forward(self, extractor: Vggish, patch: Tensor, instrument: Tensor) -> Tensor:
        """`patch [batch, 96, 64]`, `instrument [batch]` → the mean cross-entropy."""
        return functional.cross_entropy(self.layer(extractor.features_of(patch)).float(), instrument)


Objective = Denoising | TextualDescription | TagAlignment | Identification


class PretextNetwork(nn.Module):
    """An extractor and the objective by which it learns: patches and instruments → loss."""

    def __init__(self, extractor: Vggish, objective: Objective) -> None:
        super().__init__()
        self.extractor, self.objective = extractor, objective

    def forward(self, patch: Tensor, instrument: Tensor) -> Tensor:
        loss: Tensor = self.objective(self.extractor, patch, instrument)
        return loss


def contrastive_loss(audio: Tensor, text: Tensor, tags: Tensor) -> Tensor:
    """The contrastive loss of Favory et al. 2020 (Chen et al. 2020) for pairs `audio` and `text [batch, dimensions]`.

    Each of the 2 · batch vectors seeks its partner by cosine among all others but those with the same `tags [batch, words]`.
    """
    both = functional.normalize(torch.cat([audio, text]), dim=1)
    number = len(audio)
    same = (
        (tags[:, None] == tags[None]).all(dim=2).repeat(2, 2)
    )  # of the 2 · batch vectors; partners among them
    partner = torch.arange(2 * number, device=audio.device).roll(number)
    same[torch.arange(2 * number, device=audio.device), partner] = False
    similarity = (both @ both.T / TEMPERATURE).masked_fill(same, float("-inf"))
    return functional.cross_entropy(similarity, partner)


def objective_of(name: str, table: TagTable) -> Objective:
    """The objective of that name, for the instruments of the table."""
    if name == "textual":
        return TextualDescription(table)
    if name == "alignment":
        return TagAlignment(table)
    if name == "identification":
        return Identification(len(table.tags))
    return Denoising("additive" if name == "denoising-additive" else "multiplicative")
