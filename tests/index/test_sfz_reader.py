"""SFZ instruments as regions: inheritance, keys and values, samples below the root, and the reasons for regions left out."""

from pathlib import Path

import pytest

from index.sources.sfz import reader
from index.sources.sfz.opcodes import BadValue, read_key, read_opcode
from index.sources.sfz.region import Region
from models.errors import SourceError
from tests.index.tiny_sfz import read, write_sfz


def regions(folder: Path, text: str) -> tuple[Region, ...]:
    return read(write_sfz(folder, text)).regions


def region(folder: Path, opcodes: str) -> Region:
    (only,) = regions(folder, f"<region> sample=c4.wav {opcodes}")
    return only


def faults(folder: Path, text: str) -> dict[str, str]:
    return dict(read(write_sfz(folder, f"{text}\n<region> sample=c4.wav")).faults)


def test_a_region_inherits_and_the_nearest_wins(tmp_path: Path) -> None:
    text = (
        "<global> sample=c4.wav tune=1 volume=6 lokey=10\n<master> tune=2 transpose=1\n<group> tune=3 lokey=20\n"
        "<region>\n<region> tune=4\n<group>\n<region>\n<master>\n<region>\n<global> sample=c4.wav\n<region>"
    )
    found = [(one.cents, one.keys[0], round(one.gain, 3)) for one in regions(tmp_path, text)]
    assert found == [(103, 20, 1.995), (104, 20, 1.995), (102, 10, 1.995), (1, 10, 1.995), (0, 0, 1.0)]


def test_opcodes_of_all_levels_that_add_up(tmp_path: Path) -> None:
    text = "<global> global_volume=-6 group_tune=1\n<group> group_volume=-3\n<region> sample=c4.wav volume=9 tune=5"
    (only,) = regions(tmp_path, text)
    assert only.gain == pytest.approx(1.0)
    assert only.cents == 6


@pytest.mark.parametrize(
    ("name", "pitch"),
    [
        ("60", 60),
        ("c4", 60),
        ("C-1", 0),
        ("g9", 127),
        ("c#4", 61),
        ("Db3", 49),
        ("b♭3", 58),
        ("cb4", 59),
        ("-1", -1),
    ],
)
def test_keys_have_numbers_and_names(name: str, pitch: int) -> None:
    assert read_key("key", name) == pitch


@pytest.mark.parametrize("name", ["h4", "", "c", "#", "c##4"])
def test_what_is_no_key(name: str) -> None:
    with pytest.raises(BadValue):
        read_opcode("key", name)


def test_key_sets_range_and_centre_unless_they_are_said(tmp_path: Path) -> None:
    assert (region(tmp_path, "key=c#4").keys, region(tmp_path, "key=c#4").keycenter) == ((61, 61), 61)
    for opcodes in ("key=61 pitch_keycenter=48", "pitch_keycenter=48 key=61"):
        assert (region(tmp_path, opcodes).keys, region(tmp_path, opcodes).keycenter) == ((61, 61), 48)
    assert region(tmp_path, "pitch_keycenter=sample").keycenter is None


def test_control_shifts_keys_and_prefixes_samples(tmp_path: Path) -> None:
    text = (
        "<control> default_path=Sub\\x_ note_offset=-1 octave_offset=1\n<region> sample=c4.wav key=50 hivel=100\n"
        "<control> default_path= note_offset=0\n<region> sample=c4.wav lokey=1"
    )
    path = write_sfz(tmp_path, text, {"Sub/x_c4.wav": [0.0], "c4.wav": [0.0]})
    first, second = read(path).regions
    assert (first.sample, first.keys, first.velocities) == (tmp_path / "Sub" / "x_c4.wav", (61, 61), (0, 100))
    assert (second.sample, second.keys) == (tmp_path / "c4.wav", (13, 120))


def test_samples_are_found_whatever_the_case_and_the_slashes(tmp_path: Path) -> None:
    names = ["Samples/Grand Piano C4.wav", "Samples/Ça.wav", "Samples/what_.wav", "c4.wav"]
    text = "\n".join(
        f"<region> sample={name}"
        for name in (
            *(
                "..\\samples/GRAND piano c4.WAV",
                "../Samples/./Grand Piano C4.wav",
                "../samples/c\u0327a.wav",
            ),
            *("..\\Samples\\What?.wav", "../Programs/../C4.wav"),
        )
    )
    path = write_sfz(tmp_path, text, {sample: [0.0] for sample in names}, name="Programs/a.sfz")
    found = [one.sample.relative_to(tmp_path).as_posix() for one in read(path, tmp_path).regions]
    assert found == [names[0], names[0], names[1], names[2], names[3]]


def test_the_exact_name_wins(tmp_path: Path) -> None:
    path = write_sfz(tmp_path, "<region>sample=A.wav\n<region>sample=a.wav", {"A.wav": [0.0], "a.wav": [0.0]})
    assert [one.sample for one in read(path).regions] == [tmp_path / "A.wav", tmp_path / "a.wav"]


def test_nothing_outside_the_root_is_found(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (write_sfz(tmp_path, "", {"secret.wav": [0.0]})).unlink()
    root.mkdir()
    (root / "link.wav").symlink_to(tmp_path / "secret.wav")
    (root / "up").symlink_to(tmp_path)
    (root / "circle.wav").symlink_to(root / "circle.wav")
    (root / "gone.wav").symlink_to(root / "nowhere.wav")
    for name in (
        "../secret.wav",
        str(tmp_path / "secret.wav"),
        "C:\\a.wav",
        "link.wav",
        "circle.wav",
        "gone.wav",
        "up/secret.wav",
        "x/../../secret.wav",
    ):
        reasons = faults(root, f"<region> sample={name}")
        assert "outside" in reasons.get("a.sfz:1", "") or "missing" in reasons["samples"], name
    with pytest.raises(SourceError, match="outside"):
        read(write_sfz(tmp_path, "<region> sample=c4.wav"), root)


@pytest.mark.parametrize(
    "opcodes",
    [
        *("lokey=61 hikey=60", "lovel=9 hivel=8", "lorand=2"),
        *(
            "lokey=200",
            "hikey=-2",
            "hivel=128",
            "tune=nan",
            "volume=1e99",
            "volume=inf",
            "cutoff=left",
            "offset=-1",
        ),
        *(
            "trigger=sometimes",
            "loop_mode=always",
            "seq_position=0",
            "ampeg_attack=-1",
            "ampeg_release=9999",
            "key=h4",
        ),
        *("volume=190 group_volume=190", "sample=", "key=c4 pitch_keycenter=121", "locc1=x", "xfin_hicc1=x"),
    ],
)
def test_regions_with_bad_values_are_left_out_and_named(tmp_path: Path, opcodes: str) -> None:
    reasons = faults(tmp_path, f"\n<region> sample=c4.wav {opcodes}")
    assert set(reasons) == {"a.sfz:2"}
    assert opcodes.split("=")[0][:6].strip() in reasons["a.sfz:2"]


def test_a_bad_value_counts_for_all_who_inherit_it_and_few_are_told_one_by_one(tmp_path: Path) -> None:
    reasons = faults(tmp_path, "<group> tune=x\n" + "<region> sample=c4.wav\n" * 9 + "<group>\n")
    assert len(reasons) == 6
    assert reasons["regions"].startswith("4 more")


def test_missing_samples_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    text = "".join(f"<region> sample=Dir\\gone {number}.wav\n" for number in range(12))
    reasons = faults(tmp_path, text + "<region> sample=c4.wav/x.wav\n<region> sample=.")
    assert reasons["samples"].startswith("14 missing: Dir/gone 0.wav, Dir/gone 1.wav")
    assert "and 9 more" in reasons["samples"]


def test_unknown_opcodes_are_named_once_in_one_line(tmp_path: Path) -> None:
    text = (
        "<curve> curve_index=7 v000=1\n<effect> type=reverb\n<weird> a=1\n<control> zoom=1 label_cc7=Loud\n"
        "<region> sample=c4.wav eq1_freq=1 zzz=2 group=1 off_by=2 region_label=x sw_label=y fil_type=brf_2p cutoff=9\n"
        "<region> sample=c4.wav zzz=3 pitchlfo_freq=5 volume_oncc9=3 eq1_gain_oncc20=1 polyphony=1 fileg_depth=1200\n"
        "<region> sample=c4.wav pan=9 amp_velcurve_64=1 xf_velcurve=gain seq_length=2 hirand=0.5 fil_keytrack=9"
    )
    assert read(write_sfz(tmp_path, text)).faults == (
        ("opcodes", "not played: <weird>, eq1_freq, fil_type, fileg_depth, pitchlfo_freq, zoom, zzz"),
    )


@pytest.mark.parametrize(
    "opcodes",
    [
        *(
            "trigger=release",
            "trigger=release_key",
            "trigger=legato",
            "end=-1",
            "hikey=-1",
            "lokey=-1 hikey=-1",
        ),
        *(
            "locc1=1",
            "hicc7=99",
            "on_locc64=127 on_hicc64=127",
            "sw_down=24",
            "seq_length=2 seq_position=2",
            "lorand=0.5",
        ),
        *("locc30=41", "lohdcc31=0.6", "hicc31=40", "sample=*saw"),
    ],
)
def test_regions_that_wait_for_something_else_are_left_out_silently(tmp_path: Path, opcodes: str) -> None:
    text = f"<control> set_cc30=40 set_hdcc31=0.5\n<region> sample=c4.wav {opcodes}\n"
    assert (
        read(write_sfz(tmp_path, "<region> trigger=release sample=gone.wav <region> sample=c4.wav")).faults
        == ()
    )
    assert read(write_sfz(tmp_path, text + "<region> sample=c4.wav")).faults == ()
    assert len(read(write_sfz(tmp_path, text + "<region> sample=c4.wav")).regions) == 1
    with pytest.raises(SourceError, match=r"no playable region: 1 regions"):
        read(write_sfz(tmp_path, text))


@pytest.mark.parametrize(
    "opcodes",
    [
        "trigger=first",
        "locc30=40 hicc30=40",
        "hicc1=0",
        "locc7=100",
        "lohdcc31=0.5",
        "seq_length=3 hirand=0.3",
    ],
)
def test_regions_that_hold_at_rest_play(tmp_path: Path, opcodes: str) -> None:
    text = f"<control> set_cc30=40 set_hdcc31=0.5\n<region> sample=c4.wav {opcodes}"
    assert len(regions(tmp_path, text)) == 1


@pytest.mark.parametrize(
    ("opcodes", "cents"),
    [
        ("tune=10 tune_oncc30=127", 50),
        ("tune_cc30=127 tune_curvecc30=1", -47),
        ("tune_oncc31=100 tune_curvecc31=2", 50),
        ("tune_oncc99=50", 0),
        ("pitch_keycenter=sample pitch_keycenter_oncc30=9 tune_oncc30=1e12", 12_700),
    ],
)
def test_controllers_that_are_set_move_opcodes(tmp_path: Path, opcodes: str, cents: float) -> None:
    (only,) = regions(tmp_path, f"<control> set_cc30=40 set_hdcc31=0.5\n<region> sample=c4.wav {opcodes}")
    assert only.cents == pytest.approx(cents)


def test_crossfades_by_controllers_are_gains(tmp_path: Path) -> None:
    text = (
        "<control> set_cc1=32\n<group> sample=c4.wav\n<region> xfin_locc1=0 xfin_hicc1=64\n"
        "<region> xfout_locc1=0 xfout_hicc1=64\n<region> xfin_locc1=32 xfin_hicc1=32\n"
        "<region> xfin_lohdcc1=0 xfin_hicc1=16\n<region> xfin_locc1=40 xfin_hicc1=50"
    )
    gains = [0.5**0.5, 0.5**0.5, 1.0, 1.0, 0.0]
    assert [one.gain for one in regions(tmp_path, text)] == pytest.approx(gains)


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ("", ["a"]),
        ("sw_default=25", ["b"]),
        ("sw_default=c#1", ["b"]),
        ("sw_default=27", ["c"]),
        ("sw_default=99", []),
    ],
)
def test_the_default_articulation_plays(tmp_path: Path, top: str, expected: list[str]) -> None:
    text = (
        f"<global> sw_lokey=24 sw_hikey=30 {top}\n<group> sw_last=24\n<region> sample=a.wav\n<group> sw_last=25\n"
        "<region> sample=b.wav\n<group> sw_lolast=26 sw_hilast=28\n<region> sample=c.wav\n<group>\n<region> sample=d.wav"
    )
    path = write_sfz(tmp_path, text, {f"{name}.wav": [0.0] for name in "abcd"})
    assert [one.sample.stem for one in read(path).regions] == [*expected, "d"]


def test_an_sfz_without_a_region_says_why(tmp_path: Path) -> None:
    for text, reason in {
        "": "it has no <region>",
        "sample=c4.wav": "it has no <region>",
        "<region> sample=gone.wav": "1 missing: gone.wav",
        "<region> key=60": "a.sfz:1: it names no sample",
        '#include "gone.txt"': "a.sfz:1: #include gone.txt",
        "<region> sample=c4.wav trigger=release": "1 regions answer the release of a key",
    }.items():
        with pytest.raises(SourceError, match=r"a\.sfz has no playable region") as refused:
            read(write_sfz(tmp_path, text))
        assert reason in refused.value.message


def test_files_that_cannot_be_read_or_hold_too_many_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_REGIONS", 100)
    with pytest.raises(SourceError, match="cannot be read"):
        read(tmp_path / "none.sfz")
    with pytest.raises(SourceError, match="more than") as refused:
        read(write_sfz(tmp_path, "<region>sample=c4.wav " * 101))
    assert refused.value.limit == 100


def test_the_range_covers_all_regions(tmp_path: Path) -> None:
    def range_of(text: str) -> tuple[int, int]:
        return read(write_sfz(tmp_path, text)).playable_range

    assert range_of("<region> sample=c4.wav lokey=30 hikey=40\n<region> sample=c4.wav lokey=50 hikey=60") == (
        30,
        60,
    )
    assert range_of("<region> sample=c4.wav") == (0, 120)  # five octaves from the sample
    assert range_of("<region> sample=c4.wav pitch_keytrack=0") == (0, 127)
    assert range_of("<region> sample=c4.wav hikey=50\n<region> sample=c4.wav lokey=60 seq_position=2") == (
        0,
        50,
    )
