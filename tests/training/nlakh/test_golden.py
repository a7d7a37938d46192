"""The bytes of rendered data sets stay what they were, and so does the fingerprint of a partly rendered folder.

Clips and fingerprints are those of release 0.2.0. Mixtures are not quite: their levels were then added up in single precision,
so that a rounding could differ from one machine to another.
"""

from pathlib import Path

import pytest

from tests.training.nlakh import golden
from training.nlakh.dataset import Kind, SourceInfo
from training.nlakh.spec import RenderSpec

# Printed by `golden.py`; that of single clips by release 0.2.0 (commit 0ab6738) as well.
RENDERED = {
    "single": "0b4b1d08c23efdc278b5774ef27a87ab2d539c55856e0941f35b790800120d24",
    "multi": "c5219040aeb1de0f937582328de717907bc529ac68613cec86ef9e2b0695f785",
}
# The digests of the same settings and inputs at the release.
MULTI_DIGEST = "85599e543d8d0c8e38bbe4ea0006e89b545bd3850f18e2cd3e535ab265442d44"
SINGLE_DIGEST = "cf919fac9644ba52539a00ab6c6358771515ab9dacef22ee90fe0e260f336cc2"


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_every_byte_of_a_data_set_stays(kind: Kind, tmp_path: Path) -> None:
    assert golden.digest(golden.render(kind, tmp_path)) == RENDERED[kind]


def test_the_identity_of_a_specification_is_that_of_the_release() -> None:
    settings = {
        "layout": "compact",
        "seed": 7,
        "max_instruments": 5,
        "level_range_db": 4.5,
        "drums": True,
        "manifest": "m" * 64,
        "valid_share": 0.1,
    }
    multi = RenderSpec(
        kind="multi",
        counts=(("train", 20), ("valid", 4)),
        sources=(SourceInfo("a", 3, "s" * 64),),
        midi="f" * 64,
        missing="leave out",
        **settings,  # type: ignore[arg-type]
    )
    single = RenderSpec(kind="single", counts=(("train", 20),), phrases="varied", **settings)  # type: ignore[arg-type]
    assert (multi.digest, single.digest) == (MULTI_DIGEST, SINGLE_DIGEST)
