"""Slot heads: a backbone's feature map becomes M slot embeddings with presence.

`PooledSlots` is the head of Kim et al. 2022, section 3.2: one pooled vector and one linear layer to M embeddings.
`AttentionSlots` is ours: M learned queries attend to the cells of the map by cross-attention (Carion et al. 2020), so that
local detail of the mixture stays local until a slot collects it.
"""

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.backbones import Backbone, HanCNN


@dataclass(frozen=True)
class SlotLogits:
    """Output of a slot head before normalisation: `embedding [batch, slots, dim]`, `presence_logit [batch, slots]`.

    `cells [batch, cells, dim]` are local embeddings, `earlier` the slots as each layer but the last leaves them; only attention
    heads give them, and only on request.
    """

    embedding: Tensor
    presence_logit: Tensor
    cells: Tensor | None = None
    earlier: "tuple[SlotLogits, ...]" = ()


class PooledSlots(nn.Module):
    """The paper's head: pooled vector, a hidden layer (Han CNN only), one linear layer to M·dim, one to M presences."""

    def __init__(self, backbone: Backbone, num_slots: int, embedding_dim: int) -> None:
        super().__init__()
        self.num_slots = num_slots
        hidden = backbone.pooled_channels
        self.hidden: nn.Module = nn.Identity()
        if isinstance(backbone, HanCNN):
            hidden = 1024
            self.hidden = nn.Sequential(
                nn.Linear(backbone.pooled_channels, hidden), nn.LeakyReLU(HanCNN.slope), nn.Dropout(0.5)
            )
        self.embedding = nn.Linear(hidden, num_slots * embedding_dim)
        self.presence = nn.Linear(hidden, num_slots)

    def grow_from(self, trained: nn.Module) -> None:
        """Copy the weights of a trained head. Raises RuntimeError when the heads differ."""
        self.load_state_dict(trained.state_dict())

    def forward(
        self, feature_map: Tensor, pooled: Tensor, num_cells: int = 0, every_layer: bool = False
    ) -> SlotLogits:
        hidden = self.hidden(pooled)
        embedding = self.embedding(hidden).unflatten(1, (self.num_slots, -1))  # [batch, slots, dim]
        return SlotLogits(embedding, self.presence(hidden))


class CellLayer(nn.Module):
    """One pre-norm layer: self-attention of the cells, which know their places, and a feed-forward network."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.norm_self, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attention = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, cells: Tensor, where: Tensor) -> Tensor:
        x = self.norm_self(cells)
        placed = x + where
        cells = cells + self.self_attention(placed, placed, x, need_weights=False)[0]
        return cells + self.mlp(self.norm_mlp(cells))

    def make_identity(self) -> None:
        """Set the last weights of both branches to zero, so that cells pass unchanged until the layer is trained."""
        _set_zero(self.self_attention.out_proj, self.mlp[-1])


class SlotLayer(nn.Module):
    """One pre-norm layer: self-attention of the slots, cross-attention to the cells, a feed-forward network."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.norm_self, self.norm_cross, self.norm_mlp = (nn.LayerNorm(width) for _ in range(3))
        self.self_attention = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.cross_attention = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, slots: Tensor, cells: Tensor, where: Tensor) -> Tensor:
        x = self.norm_self(slots)
        slots = slots + self.self_attention(x, x, x, need_weights=False)[0]
        x = self.norm_cross(slots)
        slots = slots + self.cross_attention(x, cells + where, cells, need_weights=False)[0]
        return slots + self.mlp(self.norm_mlp(slots))

    def make_identity(self) -> None:
        """Set the last weights of all three branches to zero, so that slots pass unchanged until the layer is trained."""
        _set_zero(self.self_attention.out_proj, self.cross_attention.out_proj, self.mlp[-1])


def _set_zero(*layers: nn.Module) -> None:
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)


class AttentionSlots(nn.Module):
    """M queries pass `depth` layers; a last attention gathers the cells, whose local embedding each slot takes.

    Before that, the cells may exchange what they know in `cell_depth` layers, as in the encoder of Carion et al. 2020.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_slots: int,
        embedding_dim: int,
        map_shape: tuple[int, int],
        *,
        width: int = 192,
        depth: int = 2,
        cell_depth: int = 0,
        num_heads: int = 4,
    ) -> None:
        super().__init__()
        rows, columns = map_shape
        self.cell = nn.Sequential(nn.Linear(backbone.channels, width), nn.LayerNorm(width))
        self.cell_layers = nn.ModuleList(CellLayer(width, num_heads) for _ in range(cell_depth))
        self.row_position = nn.Parameter(torch.randn(rows, 1, width) * 0.02)
        self.column_position = nn.Parameter(torch.randn(1, columns, width) * 0.02)
        self.query = nn.Parameter(torch.randn(num_slots, width) * 0.5)
        self.layers = nn.ModuleList(SlotLayer(width, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.look_query, self.look_key = nn.Linear(width, width), nn.Linear(width, width)
        self.local_embedding = nn.Linear(width, embedding_dim)
        self.slot_embedding = nn.Linear(width, embedding_dim)
        self.presence = nn.Linear(width, 1)
        nn.init.normal_(self.slot_embedding.weight, std=1e-3)

    def grow_from(self, trained: nn.Module) -> None:
        """Copy the weights of a head with equally many or fewer layers; additional layers start as the identity.

        Raises RuntimeError when the heads differ in anything else, or when `trained` is deeper.
        """
        loaded = self.load_state_dict(trained.state_dict(), strict=False)
        added = [layer for layer in loaded.missing_keys if not layer.startswith(("layers.", "cell_layers."))]
        if loaded.unexpected_keys or added or not isinstance(trained, AttentionSlots):
            depths = len(self.cell_layers), len(self.layers)
            raise RuntimeError(f"a head of {depths} layers of cells and slots cannot hold the trained one")
        for layer in self.layers[len(trained.layers) :]:
            cast(SlotLayer, layer).make_identity()
        for layer in self.cell_layers[len(trained.cell_layers) :]:
            cast(CellLayer, layer).make_identity()

    def forward(
        self, feature_map: Tensor, pooled: Tensor, num_cells: int = 0, every_layer: bool = False
    ) -> SlotLogits:
        cells = self.cell(feature_map.flatten(2).transpose(1, 2))  # [batch, cells, width]
        where = (self.row_position + self.column_position).flatten(0, 1)  # [cells, width]
        for layer in self.cell_layers:
            cells = layer(cells, where)
        key = self.look_key(cells + where)
        slots = self.query.expand(len(cells), -1, -1)
        earlier = []
        for layer in self.layers[:-1]:
            slots = layer(slots, cells, where)
            if every_layer:
                earlier.append(self._read(slots, cells, key))
        last = self._read(self.layers[-1](slots, cells, where), cells, key)
        local = self.local_embedding(sample_cells(cells, num_cells)) if num_cells else None
        return replace(last, cells=local, earlier=tuple(earlier))

    def _read(self, slots: Tensor, cells: Tensor, key: Tensor) -> SlotLogits:
        """The embedding and presence of slots `[batch, slots, width]`: what each collects from the cells, and itself."""
        slots = self.norm(slots)
        collected = functional.scaled_dot_product_attention(self.look_query(slots), key, cells)
        embedding = self.local_embedding(collected) + self.slot_embedding(slots)  # [batch, slots, dim]
        return SlotLogits(embedding, self.presence(slots).squeeze(-1))


def sample_cells(cells: Tensor, number: int) -> Tensor:
    """Choose `number` random cells of `[batch, cells, width]`, at the same places for the whole batch."""
    return cells[:, torch.randperm(cells.shape[1], device=cells.device)[:number]]
