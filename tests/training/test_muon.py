"""Muon: orthogonal steps for matrices, AdamW's for all else, and states that continue as if never saved."""

import copy

import pytest
import torch
from torch import Tensor, nn

from training.muon import SMALLEST_SIDE, Muon, is_hidden_matrix, orthogonalised

SIZE = 2 * SMALLEST_SIDE


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(SIZE, SIZE, 3), nn.Flatten(), nn.Linear(SIZE, SIZE), nn.Linear(SIZE, 1))


def set_gradients(net: nn.Module, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def singular_values(matrix: Tensor) -> Tensor:
    return torch.linalg.svdvals(matrix.float())


@pytest.mark.parametrize(("shape", "power"), [((48, 48), 2), ((32, 200), 4), ((200, 32), 4)])
def test_an_orthogonalised_matrix_keeps_its_directions_and_loses_their_lengths(
    shape: tuple[int, int],
    power: int,
) -> None:
    torch.manual_seed(1)
    u, s, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix = u @ torch.diag(s**power) @ v  # lengths that differ much
    found = orthogonalised(matrix).float()
    values = singular_values(found)
    assert values.median() == pytest.approx(0.95, abs=0.25)
    assert values.max() < 1.3
    assert singular_values(matrix).max() / singular_values(matrix).median() > 2.5
    assert torch.einsum("ij,ij", found, u @ v) / len(s) > 0.8  # mean cosine with the exact answer
    assert orthogonalised(100 * matrix).float() == pytest.approx(found, abs=0.05)  # the scale does not matter


def test_matrices_are_muons_and_all_else_is_adamws() -> None:
    ours, theirs = network(), network()
    matrices = [name for name, parameter in ours.named_parameters() if is_hidden_matrix(parameter)]
    assert matrices == ["0.weight", "2.weight"]  # neither vectors nor the matrix with one row
    muon = Muon(ours.parameters(), lr=0.01, weight_decay=0.0)
    adamw = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.0)
    for seed in range(3):
        set_gradients(ours, seed)
        set_gradients(theirs, seed)
        muon.step()
        adamw.step()
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert torch.equal(parameter, expected[name]) == (name not in matrices), name


def test_a_step_is_about_as_large_as_adamws_in_every_direction() -> None:
    net = network()
    before = net.get_parameter("0.weight").detach().clone()
    set_gradients(net)
    Muon(net.parameters(), lr=0.01, weight_decay=0.0).step()
    change = (net.get_parameter("0.weight").detach() - before).flatten(1)
    assert change.square().mean().sqrt() == pytest.approx(0.01 * 0.2, rel=0.3)
    values = singular_values(change)
    assert values.max() / values.min() < 2.5


def test_weight_decay_shrinks_matrices_alone() -> None:
    decayed, kept = network(), network()
    for net, weight_decay in ((decayed, 0.5), (kept, 0.0)):
        set_gradients(net)
        Muon(net.parameters(), lr=0.1, weight_decay=weight_decay).step()
    start = network()
    for (name, one), other in zip(decayed.named_parameters(), kept.parameters(), strict=True):
        lost = 0.05 * start.get_parameter(name) if is_hidden_matrix(one) else 0.0
        torch.testing.assert_close(one + lost, other)


def test_a_saved_state_continues_as_if_never_saved() -> None:
    straight, stopped = network(), network()
    whole, first = (Muon(net.parameters(), lr=0.01, weight_decay=0.02) for net in (straight, stopped))
    for seed in range(4):
        set_gradients(straight, seed)
        whole.step()
    for seed in range(2):
        set_gradients(stopped, seed)
        first.step()
    resumed = Muon(stopped.parameters(), lr=0.01, weight_decay=0.02)
    resumed.load_state_dict(copy.deepcopy(first.state_dict()))
    for seed in range(2, 4):
        set_gradients(stopped, seed)
        resumed.step()
    for one, other in zip(straight.parameters(), stopped.parameters(), strict=True):
        assert torch.equal(one, other)


def test_parameters_without_a_gradient_stay() -> None:
    net = network()
    set_gradients(net)
    net.get_parameter("0.weight").grad = None
    before = net.get_parameter("0.weight").detach().clone()
    Muon(net.parameters(), lr=0.1, weight_decay=0.1).step()
    assert torch.equal(net.get_parameter("0.weight"), before)
