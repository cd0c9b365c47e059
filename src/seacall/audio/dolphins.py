"""The dolphins: how each species whistles, clicks and calls.

Figures are rounded from the descriptions that stand above each species. Where a paper
gives a range alone, the mean is its middle and the standard deviation a quarter of it;
shares of shapes that no paper gives are those of its nearest relative.
"""

from __future__ import annotations

from functools import partial

from seacall.audio.kind import Kind
from seacall.audio.pulsed import PulsedStyle
from seacall.audio.schools import Voice, choose_school
from seacall.audio.whistles import WhistleStyle


def _kind(
    name: str, band_hz: tuple[float, float], voice: Voice, *, watkins: str = ""
) -> Kind:
    return Kind(f"Simulated {name}", band_hz, partial(choose_school, voice), watkins)


# Steiner 1981 (Behav. Ecol. Sociobiol. 9, 241) for the ranges of whistles, Courts et
# al. 2020 (Sci. Rep. 10, 20609: 0.2-25 kHz, 0.03-2.07 s, biphonation), Rendell et al.
# 1999 (J. Zool. 249, 403: lower and longer than false killer whales), Nemiroff and
# Whitehead 2009 (Bioacoustics 19, 67) for pulsed calls, Eskesen et al. 2011 for clicks.
_LONG_FINNED = Voice(
    WhistleStyle(
        (3_000.0, 1_100.0),
        (5_200.0, 1_900.0),
        (0.7, 0.45),
        1.3,
        (0.25, 0.25, 0.1, 0.1, 0.15, 0.15),
    ),
    click_hz=38_000.0,
    pulsed=PulsedStyle(
        share=0.4,
        rate_hz=(150.0, 1_100.0),
        formant_hz=(1_500.0, 5_000.0),
        duration_s=(0.7, 0.35),
        second_voice=0.25,
    ),
    mean_others=1.2,
)

# Oswald et al. 2003 (Mar. Mamm. Sci. 19, 20) and Sanino and Fowle 2006 (Bol. Mus. Nac.
# Hist. Nat. 55, 21: mean 6.9 kHz, 3.8-13.6 kHz, 0.09-2.86 s, few inflections); 29 % of
# groups click alone, 16 % whistle alone (McCullough et al. 2023, Front. Mar. Sci. 10,
# 1147670); clicks: Au et al. 1995 (J. Acoust. Soc. Am. 98, 51).
_FALSE_KILLER = Voice(
    WhistleStyle(
        (5_200.0, 1_100.0),
        (7_200.0, 1_600.0),
        (0.45, 0.3),
        0.5,
        (0.3, 0.3, 0.08, 0.05, 0.17, 0.1),
    ),
    click_hz=33_000.0,
    only_clicks=0.29,
    only_whistles=0.16,
    mean_others=1.3,
)

# Watkins et al. 1997 (Caribb. J. Sci. 33, 34: 8-12 kHz, bursts of up to 1200 clicks a
# second), Frankel and Yin 2010 (J. Acoust. Soc. Am. 127, 3248), Baumann-Pickering et
# al. 2010 (128, 2212: clicks 24-30 kHz).
_MELON_HEADED = Voice(
    WhistleStyle(
        (7_600.0, 2_000.0),
        (11_800.0, 2_600.0),
        (0.6, 0.35),
        1.1,
        (0.14, 0.34, 0.16, 0.08, 0.13, 0.15),
    ),
    click_hz=27_000.0,
    only_clicks=0.25,
    only_whistles=0.3,
    mean_others=1.8,
)

# Steiner 1981 (as S. plagiodon), Lammers et al. 2003 (J. Acoust. Soc. Am. 114, 1629),
# Azevedo et al. 2010 (127, 2646: mostly rising), Kaplan and Reiss 2017
# (Aquat. Mamm. 43, 393: many whistles are broad-band, so overtones are common).
_ATLANTIC_SPOTTED = Voice(
    WhistleStyle(
        (7_600.0, 1_900.0),
        (13_600.0, 2_700.0),
        (0.4, 0.22),
        0.9,
        (0.06, 0.48, 0.12, 0.08, 0.14, 0.12),
        overtones=0.6,
    ),
    click_hz=34_000.0,
)

# Mullin et al. 1994 (Mar. Mamm. Sci. 10, 464: whistles of 6.3-19.2 kHz), Fertl et al.
# 1997 and Jefferson and Curry 2003 (Mamm. Species 726) for durations near 0.6 s.
_CLYMENE = Voice(
    WhistleStyle(
        (8_600.0, 2_000.0),
        (15_600.0, 2_700.0),
        (0.61, 0.32),
        1.3,
        (0.08, 0.32, 0.22, 0.1, 0.14, 0.14),
    ),
    click_hz=36_000.0,
    mean_others=1.5,
)

# Bazua-Duran and Au 2002 (J. Acoust. Soc. Am. 112, 3064: 47 % rise, mean greatest
# frequency 15.9 kHz, mean middle 12.9 kHz, 0.49 s), Camargo et al. 2006 (120, 4071:
# 10.8 kHz to 12.7 kHz, 0.495 s), clicks: Baumann-Pickering et al. 2010 (34-36 kHz).
_SPINNER = Voice(
    WhistleStyle(
        (9_900.0, 2_500.0),
        (15_900.0, 2_900.0),
        (0.49, 0.3),
        1.2,
        (0.12, 0.47, 0.11, 0.06, 0.1, 0.14),
    ),
    click_hz=35_000.0,
    mean_others=2.0,
)

# Oswald et al. 2003, Gannier et al. 2010 (Appl. Acoust. 71, 1063), Azzolin et al. 2013
# (J. Acoust. Soc. Am. 133, 1126: Mediterranean whistles are shorter and lower).
_STRIPED = Voice(
    WhistleStyle(
        (8_000.0, 1_800.0),
        (14_600.0, 2_900.0),
        (0.75, 0.32),
        1.9,
        (0.05, 0.27, 0.17, 0.1, 0.13, 0.28),
    ),
    click_hz=38_000.0,
    mean_others=1.5,
)

# Steiner 1981; Hamran 2014 (thesis, Nord University) and Calderan et al. 2024 (Mar.
# Mamm. Sci., 10.1111/mms.13135) for clicks and burst pulses.
_WHITE_SIDED = Voice(
    WhistleStyle(
        (8_200.0, 1_700.0),
        (12_200.0, 2_100.0),
        (0.5, 0.3),
        0.8,
        (0.15, 0.27, 0.22, 0.1, 0.16, 0.1),
    ),
    click_hz=36_000.0,
)

# Steiner 1981, Buck and Tyack 1993 (J. Acoust. Soc. Am. 94, 2497: loops), Cook et al.
# 2004 (Proc. R. Soc. B 271, 1043: half of free whistles are signatures), Au 1993 for
# clicks, Blomqvist and Amundin 2004 for burst pulses.
_BOTTLENOSE = Voice(
    WhistleStyle(
        (7_000.0, 1_700.0),
        (16_000.0, 2_700.0),
        (1.0, 0.5),
        2.4,
        (0.04, 0.2, 0.12, 0.12, 0.17, 0.35),
    ),
    click_hz=36_000.0,
    only_clicks=0.2,
    only_whistles=0.45,
    mean_others=0.4,
    signature=0.55,
    pause_s=(0.08, 0.5),
)

# Oswald et al. 2003, Ansmann et al. 2007 (J. Mar. Biol. Assoc. UK 87, 19), Gannier et
# al. 2010; clicks: Soldevilla et al. 2008 (J. Acoust. Soc. Am. 124, 609).
_COMMON = Voice(
    WhistleStyle(
        (8_000.0, 1_900.0),
        (14_000.0, 2_900.0),
        (0.65, 0.33),
        1.1,
        (0.08, 0.3, 0.22, 0.1, 0.12, 0.18),
    ),
    click_hz=34_000.0,
    mean_others=1.8,
)

# Corkeron and Van Parijs 2001 (J. Acoust. Soc. Am. 109, 2247: whistles, barks, buzzes,
# whistle and burst pulse at once), Rendell et al. 1999; clicks: Soldevilla et al. 2008
# (peaks at 22, 26, 31, 39 kHz).
_RISSOS = Voice(
    WhistleStyle(
        (8_000.0, 2_200.0),
        (13_500.0, 3_000.0),
        (0.65, 0.4),
        1.2,
        (0.1, 0.28, 0.18, 0.12, 0.14, 0.18),
    ),
    click_hz=28_000.0,
    pulsed=PulsedStyle(
        share=0.25,
        rate_hz=(150.0, 600.0),
        formant_hz=(3_000.0, 8_000.0),
        duration_s=(0.6, 0.4),
    ),
    only_clicks=0.45,
    only_whistles=0.2,
    mean_others=0.7,
)

# Oswald et al. 2003, Rendell et al. 1999, Sayigh et al. 2013 (Mar. Mamm. Sci. 29, 312:
# repeated call types), Jensen et al. 2011 for depth and pitch.
_SHORT_FINNED = Voice(
    WhistleStyle(
        (3_700.0, 1_500.0),
        (6_400.0, 2_400.0),
        (0.5, 0.35),
        1.0,
        (0.2, 0.3, 0.12, 0.1, 0.15, 0.13),
    ),
    click_hz=30_000.0,
    pulsed=PulsedStyle(
        share=0.35,
        rate_hz=(150.0, 1_000.0),
        formant_hz=(1_500.0, 5_500.0),
        duration_s=(0.6, 0.3),
        second_voice=0.2,
    ),
    mean_others=1.2,
)

# Oswald et al. 2003 and 2007 (J. Acoust. Soc. Am. 122, 587); Lammers et al. 2003.
_PANTROPICAL = Voice(
    WhistleStyle(
        (8_300.0, 1_700.0),
        (18_000.0, 3_000.0),
        (0.85, 0.38),
        1.8,
        (0.03, 0.4, 0.1, 0.08, 0.12, 0.27),
    ),
    click_hz=38_000.0,
    mean_others=1.5,
)

# Oswald et al. 2003, Busnel and Dziedzic 1966 (4-7 kHz), Lima et al. 2016 (J. Acoust.
# Soc. Am. 140: 2-14 kHz; steps are common).
_ROUGH_TOOTHED = Voice(
    WhistleStyle(
        (5_500.0, 1_300.0),
        (8_700.0, 1_800.0),
        (0.6, 0.33),
        1.8,
        (0.15, 0.33, 0.08, 0.08, 0.13, 0.23),
    ),
    click_hz=27_000.0,
    mean_others=0.8,
)

# Leatherwood et al. 1993 (7.6-13.4 kHz, 0.06-0.93 s), Oswald et al. 2007 (Aquat. Mamm.
# 33, 99: 6.6-23.5 kHz).
_FRASERS = Voice(
    WhistleStyle(
        (9_300.0, 1_800.0),
        (13_800.0, 2_700.0),
        (0.48, 0.24),
        0.9,
        (0.12, 0.33, 0.2, 0.08, 0.13, 0.14),
    ),
    click_hz=38_000.0,
    mean_others=1.8,
)

# Rasmussen and Miller 2002 (Aquat. Mamm. 28, 78: 3-35 kHz), Rasmussen et al. 2006 (J.
# Acoust. Soc. Am. 120, 510: overtones), clicks: Calderan et al. 2013.
_WHITE_BEAKED = Voice(
    WhistleStyle(
        (9_000.0, 2_400.0),
        (15_500.0, 3_800.0),
        (0.45, 0.3),
        0.9,
        (0.12, 0.28, 0.24, 0.1, 0.14, 0.12),
        overtones=0.6,
    ),
    click_hz=40_000.0,
)

BOTTLENOSE = _kind("Bottlenose Dolphin", (4_000.0, 40_000.0), _BOTTLENOSE)
COMMON = _kind("Common Dolphin", (5_500.0, 40_000.0), _COMMON)
DOLPHINS: tuple[Kind, ...] = (
    _kind("Long-Finned Pilot Whale", (1_500.0, 40_000.0), _LONG_FINNED),
    _kind("False Killer Whale", (3_500.0, 40_000.0), _FALSE_KILLER),
    _kind(
        "Melon-Headed Whale",
        (4_500.0, 38_000.0),
        _MELON_HEADED,
        watkins="Melon Headed Whale",
    ),
    _kind("Atlantic Spotted Dolphin", (5_500.0, 40_000.0), _ATLANTIC_SPOTTED),
    _kind("Clymene Dolphin", (6_000.0, 40_000.0), _CLYMENE),
    _kind("Spinner Dolphin", (6_500.0, 40_000.0), _SPINNER),
    _kind("Striped Dolphin", (5_500.0, 40_000.0), _STRIPED),
    _kind("White-sided Dolphin", (5_500.0, 40_000.0), _WHITE_SIDED),
    _kind(
        "Risso's Dolphin",
        (2_000.0, 40_000.0),
        _RISSOS,
        watkins="Grampus Risso's Dolphin",
    ),
    _kind(
        "Short-Finned Pilot Whale",
        (1_500.0, 40_000.0),
        _SHORT_FINNED,
        watkins="Short-Finned Pacific Pilot Whale",
    ),
    _kind("Pantropical Spotted Dolphin", (6_000.0, 40_000.0), _PANTROPICAL),
    _kind("Rough-Toothed Dolphin", (4_000.0, 38_000.0), _ROUGH_TOOTHED),
    _kind("Fraser's Dolphin", (6_000.0, 40_000.0), _FRASERS),
    _kind(
        "White-beaked Dolphin",
        (5_500.0, 40_000.0),
        _WHITE_BEAKED,
    ),
)
"""The dolphins that the first ten species lack."""
