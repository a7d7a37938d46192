"""Each family has a colour of its own on the page: legible as a chip, visible on the map, light and dark.

Contrast is that of WCAG 2.2 (1.4.3 for text, 1.4.11 for points); colours are converted as in CSS Color 4, section 17.
"""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.families import FAMILIES

SOURCES = Path(__file__).parent.parent.parent / "app" / "web" / "src"
TOKENS = (SOURCES / "styles/tokens.css").read_text()
THEMES = ("light", "dark")
SURFACES = ("ground", "surface", "raised")
COLOURED = (*FAMILIES, "none")
CHIP_TINT, TEXT_TINT = (
    0.15,
    0.88,
)  # the shares of the colour in a chip's background and text, styles/parts.css
MIN_TEXT, MIN_POINT = 4.5, 3.0  # contrast ratios
MIN_DIFFERENCE = 0.05  # distance in Oklab; one of 0.02 is just noticeable

Colour = NDArray[np.float64]  # [3]

LAB_TO_LMS = np.array(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ]
)
LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def to_linear(srgb: Colour) -> Colour:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: Colour) -> Colour:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def oklab_to_srgb(lab: Colour) -> Colour:
    return to_srgb(LMS_TO_RGB @ (LAB_TO_LMS @ lab) ** 3)


def srgb_to_oklab(srgb: Colour) -> Colour:
    lms = np.linalg.solve(LMS_TO_RGB, to_linear(srgb))
    return np.linalg.solve(LAB_TO_LMS, np.cbrt(lms))


def token(name: str, theme: str) -> Colour:
    """The Oklab colour of a token of tokens.css in a theme."""
    found = re.search(rf"--{name}: light-dark\((oklch\(.+?\)|#\w+), (oklch\(.+?\)|#\w+)\);", TOKENS)
    assert found, f"tokens.css has no --{name}"
    value = found[1 + THEMES.index(theme)]
    if value.startswith("#"):
        return srgb_to_oklab(np.array(list(bytes.fromhex(value[1:]))) / 255)
    lightness, chroma, hue = (float(number) for number in re.findall(r"[\d.]+", value))
    angle = np.radians(hue)
    return np.array([lightness, chroma * np.cos(angle), chroma * np.sin(angle)])


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio (1…21) of two sRGB colours."""
    dark, light = sorted(float(to_linear(srgb) @ [0.2126, 0.7152, 0.0722]) for srgb in (one, other))
    return (light + 0.05) / (dark + 0.05)


def test_the_page_knows_the_families_of_the_service() -> None:
    listed = re.search(r"families: \[(.+?)\],\n  audio", (SOURCES / "state/server.ts").read_text(), re.DOTALL)
    assert listed
    assert re.findall(r'"(\w+)"', listed[1]) == list(FAMILIES)
    parts = (SOURCES / "styles/parts.css").read_text()
    rules = re.findall(r'\[data-family="(\w+)"\] \{\s+--tint: var\(--family-(\w+)\);\s+\}', parts)
    assert rules == [(family, family) for family in FAMILIES]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("family", COLOURED)
def test_chips_and_points_stand_out(family: str, theme: str) -> None:
    colour, text = token(f"family-{family}", theme), token("text", theme)
    written = oklab_to_srgb(TEXT_TINT * colour + (1 - TEXT_TINT) * text)
    for name in SURFACES:
        surface = oklab_to_srgb(token(name, theme))
        chip = CHIP_TINT * oklab_to_srgb(colour) + (1 - CHIP_TINT) * surface
        assert contrast(written, chip) >= MIN_TEXT, name
        assert contrast(oklab_to_srgb(colour), surface) >= MIN_POINT, name


@pytest.mark.parametrize("theme", THEMES)
def test_no_two_families_look_alike(theme: str) -> None:
    shown = {family: srgb_to_oklab(oklab_to_srgb(token(f"family-{family}", theme))) for family in COLOURED}
    distance = {pair: np.linalg.norm(shown[pair[0]] - shown[pair[1]]) for pair in combinations(COLOURED, 2)}
    assert min(distance.values()) >= MIN_DIFFERENCE, min(distance, key=lambda pair: distance[pair])
