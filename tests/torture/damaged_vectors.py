"""Vector files that are cut short, bit-flipped, emptied, of another encoder, of another library, of an earlier moment, or gone.

They are caches of the catalogue: `verify` must tell of the fault, and opening the folder must mend it.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from index.instrument_index import InstrumentIndex
from index.vector_store import VectorStore
from models.encoder_pair import EncoderPair
from tests.encoders import random_pair
from tests.torture.forked import fresh
from tests.torture.inspection import compared
from tests.torture.ledger import Operation, State, as_state, as_values
from tests.torture.operations import opened, perform
from tests.torture.outcome import Options, Outcome

TRIES, SHORT_TRIES = 500, 6
NUM_LIBRARIES, NUM_INSTRUMENTS = 2, 6
Damage = Callable[
    [Path, Path, np.random.Generator], bytes | None
]  # the file, another library's → its new content


def attack(options: Options) -> Outcome:
    outcome, rng = Outcome("damaged vectors"), options.generator()
    pairs = (random_pair(0), random_pair(1))
    folder, kinds = options.folder / "data", Counter[str]()
    state = as_state(fresh(lambda: as_values(_filled(folder, pairs))))
    vectors = folder / "vectors"
    for number in options.numbers(TRIES, SHORT_TRIES):
        kind = str(rng.choice(list(DAMAGES)))
        kinds[kind] += 1
        chosen, other = rng.permutation(sorted(vectors.glob("*.faiss"))).tolist()
        content = DAMAGES[kind](chosen, other, rng)
        if content is None:
            chosen.unlink()
        else:
            chosen.write_bytes(content)
        is_told = fresh(lambda: _is_told(folder, pairs[0]))
        _, lost, strange = compared(state, [], folder, pairs)
        untold = [] if is_told else ["`verify` has found no fault before"]
        outcome.count(f"{folder.name}, try {number}, {kind}", lost, strange + untold)
    outcome.detail = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
    return outcome


def _filled(folder: Path, pairs: tuple[EncoderPair, ...]) -> State:
    """Fill libraries, and keep an earlier vector file of each beside the data folder's own."""
    with opened(folder, pairs) as indexes:
        for number in range(NUM_LIBRARIES):
            library = perform(indexes, Operation("create", name=f"L{number}"))["library"]
            for part in range(2):
                names = tuple(f"{number}-{part}-{n}" for n in range(NUM_INSTRUMENTS // 2))
                perform(indexes, Operation("enroll", library, names=names))
                file = indexes.all[0].vectors.file(library)
                file.with_suffix(".earlier").write_bytes(file.read_bytes()) if part == 0 else None
        return indexes.state()


def _is_told(folder: Path, pair: EncoderPair) -> bool:
    """Whether `verify` finds a fault in the folder as it is, before it is opened and mended."""
    index = InstrumentIndex(folder, pair.encoder_hash, pair.embedding_dim)
    try:
        return bool(index.verify())
    finally:
        index.close()


def _cut(file: Path, other: Path, rng: np.random.Generator) -> bytes:
    data = file.read_bytes()
    return data[: rng.integers(len(data))]


def _flipped(file: Path, other: Path, rng: np.random.Generator) -> bytes:
    data = bytearray(file.read_bytes())
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return bytes(data)


def _longer(file: Path, other: Path, rng: np.random.Generator) -> bytes:
    return file.read_bytes() + rng.bytes(64)


def _of_another_encoder(file: Path, other: Path, rng: np.random.Generator) -> bytes:
    """The same ids with other vectors, as another encoder has made them."""
    pair, copy = random_pair(1), file.with_suffix(".other")
    store = VectorStore(copy, pair.embedding_dim, encoder_hash=pair.encoder_hash)
    vectors = rng.standard_normal((NUM_INSTRUMENTS, pair.embedding_dim)).astype(np.float32)
    store.add(np.arange(1, NUM_INSTRUMENTS + 1), vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    store.save()
    data = copy.read_bytes()
    copy.unlink()
    return data


DAMAGES: dict[str, Damage] = {
    "cut short": _cut,
    "bit flipped": _flipped,
    "of another encoder": _of_another_encoder,
    "of another library": lambda file, other, rng: other.read_bytes(),
    "of an earlier moment": lambda file, other, rng: file.with_suffix(".earlier").read_bytes(),
    "longer": _longer,
    "empty": lambda file, other, rng: b"",
    "noise": lambda file, other, rng: rng.bytes(2000),
    "gone": lambda file, other, rng: None,
}
