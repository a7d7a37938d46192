"""Ids made from names: safe as file names, unique and reproducible."""

from hypothesis import given
from hypothesis import strategies as st

from index.sources.ids import MAX_SLUG, instrument_ids, is_safe, slug

NAMES = st.text(max_size=20) | st.sampled_from(
    ["Fretless Bass", "fretless-bass", "尺八", "笛子", "x" * 200, "Flûte"]
)


def test_slugs_are_readable() -> None:
    assert slug("01 Fretless Bass (soft).v2") == "01_fretless_bass_soft_v2"
    assert slug("Flûte à bec") == "flute_a_bec"
    assert slug("") == ""


@given(NAMES.filter(len))
def test_slugs_are_safe_short_and_stable(name: str) -> None:
    assert is_safe(slug(name))
    assert len(slug(name)) <= MAX_SLUG
    assert slug(name) == slug(name)
    assert slug(slug(name)) == slug(name)


@given(NAMES, st.lists(NAMES, unique=True, max_size=12))
def test_ids_are_unique_safe_and_in_order(source: str, names: list[str]) -> None:
    ids = instrument_ids(source, [(name, f"key of {name}") for name in names])
    assert len(ids) == len(set(ids)) == len(names)
    assert all(is_safe(made) for made in ids)
    assert ids[:1] == instrument_ids(source, [(name, f"key of {name}") for name in names[:1]])


def test_names_that_look_alike_get_a_checksum() -> None:
    plain, other = instrument_ids("kit", [("Snare 1", "a/Snare 1"), ("snare-1", "b/snare-1")])
    assert plain == "kit_snare_1"
    assert other.startswith("kit_snare_1_")


def test_names_of_paths_and_devices_are_not_safe() -> None:
    assert not any(
        map(is_safe, ["", ".", "..", "../a", "a/b", "a\\b", ".hidden", "a\n", "a b", "ä", "x" * 121])
    )
    assert is_safe("bass_electronic_018")
