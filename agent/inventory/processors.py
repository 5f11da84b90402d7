"""The year in which a processor's generation came out, from the name it gives itself.

The rules are tried in order; a rule is a pattern and either a year or the years of the generations its group names. Sources: the
makers' product pages (ark.intel.com, amd.com, developer.arm.com). A name no rule knows has no year: unknown never passes for old
or new.
"""

from __future__ import annotations

import re

_NOISE = re.compile(r"\((?:R|TM|C)\)|®|™|\bCPU\b|\bProcessor\b|\bw/.*$|@.*$|\bwith Radeon.*$", re.IGNORECASE)
_CLOCK = re.compile(r"@\s*([\d.]+)\s*(G|M)Hz", re.IGNORECASE)

_CORE = {
    "2": 2011, "3": 2012, "4": 2013, "5": 2014, "6": 2015, "7": 2016, "8": 2017, "9": 2018, "10": 2019, "11": 2020, "12": 2021,
    "13": 2022, "14": 2023,
}  # fmt: skip
_PENTIUM_G = {
    "2": 2012, "3": 2013, "44": 2015, "45": 2016, "46": 2016, "54": 2018, "55": 2018, "56": 2018, "64": 2020, "65": 2020,
    "66": 2020, "69": 2010, "6": 2011, "8": 2011, "74": 2022,
}  # fmt: skip
_CELERON_G = {"11": 2010, "4": 2011, "5": 2011, "16": 2012, "18": 2013, "390": 2015, "392": 2015, "393": 2016, "395": 2016,
              "49": 2018, "59": 2020, "69": 2022}  # fmt: skip
_LOW_POWER = {
    "28": 2013, "29": 2013, "35": 2013, "30": 2015, "31": 2015, "37": 2015, "33": 2016, "34": 2016, "42": 2016, "40": 2017,
    "41": 2017, "50": 2017, "510": 2021, "509": 2021, "64": 2021, "62": 2021,
    "402": 2019, "412": 2019, "503": 2019, "504": 2019, "45": 2021, "51": 2021,
    "60": 2021, "18": 2013, "19": 2013,
}  # fmt: skip
_MOBILE = {
    "10": 2013, "29": 2013, "32": 2015, "37": 2015, "38": 2015, "39": 2015, "386": 2017, "396": 2017, "420": 2019, "430": 2019,
    "52": 2019, "53": 2019, "63": 2020, "73": 2022, "8": 2011, "20": 2012, "21": 2012, "35": 2013, "36": 2013, "40": 2013,
    "441": 2017, "440": 2015, "54": 2019, "64": 2019, "75": 2020, "85": 2022, "9": 2011, "B8": 2011, "B9": 2011,
}  # fmt: skip
_RYZEN = {"1": 2017, "2": 2018, "3": 2019, "4": 2020, "5": 2020, "6": 2022, "7": 2022, "8": 2024, "9": 2024}
_XEON_OLD = {
    "30": 2006, "32": 2007, "33": 2008, "34": 2009, "35": 2009, "36": 2010, "50": 2006, "51": 2006, "52": 2007, "53": 2006,
    "54": 2007, "55": 2009, "56": 2010, "65": 2010, "75": 2010, "71": 2006, "73": 2007, "74": 2008,
}  # fmt: skip
_A_SERIES = {"3": 2011, "4": 2012, "5": 2012, "6": 2013, "7": 2014, "8": 2015, "9": 2016}
_CORE_2 = {
    "E4": 2007, "E6": 2006, "E7": 2008, "E8": 2008, "Q6": 2007, "Q8": 2008, "Q9": 2008, "T5": 2006, "T7": 2006, "T6": 2008,
    "T8": 2008, "T9": 2008, "P7": 2008, "P8": 2008, "P9": 2008, "L7": 2007, "U7": 2007, "SU": 2008, "SL": 2008, "SP": 2008,
    "X6": 2006, "QX": 2007, "X7": 2007, "X9": 2008, "L2": 2006, "T2": 2006, "U2": 2006,
}  # fmt: skip

_CORTEX = {
    "A5": 2009, "A7": 2011, "A8": 2005, "A9": 2007, "A15": 2010, "A17": 2014, "A32": 2016, "A35": 2015, "A53": 2012, "A55": 2017,
    "A57": 2012, "A72": 2015, "A73": 2016, "A75": 2017, "A76": 2018, "A77": 2019, "A78": 2020, "A510": 2021, "A520": 2023,
    "A710": 2021, "A715": 2022, "A720": 2023, "A725": 2024, "X1": 2020, "X2": 2021, "X3": 2022, "X4": 2023, "X925": 2024,
}  # fmt: skip
_ARM_CORES = {
    "0x41": {
        "0xb76": "ARM1176", "0xc05": "Cortex-A5", "0xc07": "Cortex-A7", "0xc08": "Cortex-A8", "0xc09": "Cortex-A9",
        "0xc0f": "Cortex-A15", "0xc0e": "Cortex-A17", "0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55",
        "0xd07": "Cortex-A57", "0xd08": "Cortex-A72", "0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76",
        "0xd0c": "Neoverse-N1", "0xd0d": "Cortex-A77", "0xd40": "Neoverse-V1", "0xd41": "Cortex-A78", "0xd44": "Cortex-X1",
        "0xd46": "Cortex-A510", "0xd47": "Cortex-A710", "0xd48": "Cortex-X2", "0xd49": "Neoverse-N2", "0xd4b": "Cortex-A78C",
        "0xd4c": "Cortex-X1C", "0xd4f": "Neoverse-V2",
    },
    "0x48": {"0xd01": "TaiShan v110", "0xd02": "TaiShan v200"},
    "0x70": {
        "0x303": "FTC310", "0x660": "FTC660", "0x661": "FTC661", "0x662": "FTC662", "0x663": "FTC663", "0x664": "FTC664",
        "0x862": "FTC862",
    },
    "0xc0": {"0xac3": "Ampere-1", "0xac4": "Ampere-1a"},
}  # fmt: skip
_ARM_MAKERS = {"0x41": "Arm", "0x48": "HiSilicon", "0x51": "Qualcomm", "0x61": "Apple", "0x70": "Phytium", "0xc0": "Ampere"}
"""MIDR_EL1's implementer and part as /proc/cpuinfo prints them (the kernel's asm/cputype.h)."""

_RULES: tuple[tuple[str, int | dict[str, int]], ...] = (
    # Intel Core
    (r"Core Ultra \d+ (?:X?)1\d\d", 2023),
    (r"Core Ultra \d+ (?:X?)2\d\d", 2024),
    (r"Core Ultra \w+ (?:X?)3\d\d", 2026),
    (r"Core [3579] 1\d\d[A-Z]", 2024),
    (r"Core [3579] 2\d\d[A-Z]", 2025),
    (r"Core i\d-N\d{3}", 2023),
    (r"Core 3 N\d{3}", 2025),
    (r"Core i\d-L\d\dG", 2020),
    (r"Core i[3579]-(1[0-4])\d{2,3}(?!\d)", _CORE),
    (r"Core i[3579]-([2-9])\d{3}(?!\d)", _CORE),
    (r"Core i[3579] ([2-9])\d{3}(?!\d)", _CORE),
    (r"Core i7 (?:Extreme )?(?:X |Q )?9\d\d(?!\d)|Core i7-9\d\d(?!\d)", 2008),
    (r"Core i7.(?:[SK] )?8\d\d|Core i5.(?:S )?7\d\d|Core i7 Q ?[78]\d\d|Core i7.(?:X|Q) ?\d{3}", 2009),
    (r"Core i[357].{0,4}\d{3}(?!\d)", 2010),
    (r"Core [mM]\d?-([5-9])Y", {"5": 2014, "6": 2015, "7": 2016, "8": 2018}),
    (r"Core m3-8", 2018),
    (r"Core ?2 (?:Duo|Quad|Extreme|Solo).*?\b([EQTPLUSX][A-Z]?\d)", _CORE_2),
    (r"Core ?2 (?:Duo|Quad|Extreme|Solo).*?\b([SQ][ULPX])", _CORE_2),
    (r"Core ?2\b", 2006),
    (r"Core Duo|Core Solo", 2006),
    # Intel Xeon
    (r"Xeon 6\d{3}[PE]|Xeon 6\b", 2024),
    (r"Xeon E312xx", 2011),
    (r"Xeon E3-1\d{3}L? ?([vV]\d)?", {"": 2011, "v2": 2012, "v3": 2013, "v4": 2015, "v5": 2015, "v6": 2017}),
    (r"Xeon E5-\d{4}\w? ?([vV]\d)?", {"": 2012, "v2": 2013, "v3": 2014, "v4": 2016}),
    (r"Xeon E7-? ?\d{4}\w? ?([vV]\d)?", {"": 2011, "v2": 2014, "v3": 2015, "v4": 2016}),
    (r"Xeon (?:Bronze|Silver|Gold|Platinum|Max) \d(\d)\d\d", {"1": 2017, "2": 2019, "3": 2021, "4": 2023, "5": 2023}),
    (r"Xeon D-(\d\d)", {"15": 2015, "16": 2019, "21": 2018, "17": 2022, "27": 2022, "18": 2023, "28": 2023}),
    (r"Xeon E-(\d\d)", {"21": 2018, "22": 2019, "23": 2021, "24": 2023}),
    (r"Xeon W-(\d\d)", {"21": 2017, "31": 2018, "22": 2019, "32": 2019, "12": 2020, "10": 2020, "13": 2021, "11": 2021,
                         "33": 2021}),
    (r"Xeon w\d-(\d\d)", {"24": 2023, "34": 2023, "25": 2024, "35": 2024}),
    (r"Xeon.*?\b[EXLWV]?(\d\d)\d\d\b", _XEON_OLD),
    (r"Xeon Processor \(Skylake|Xeon \(Skylake", 2017),
    (r"Xeon.*\(Cascadelake", 2019),
    (r"Xeon.*\(Icelake", 2021),
    (r"Xeon.*\(SapphireRapids", 2023),
    # Intel's small ones
    (r"\bIntel N(?:50|95|97|100|200)\b", 2023),
    (r"\bIntel N(?:150|250|350|355)\b", 2025),
    (r"\bIntel U300", 2023),
    (r"\bIntel 300T?\b", 2024),
    (r"Pentium Gold G(\d\d)", _PENTIUM_G),
    (r"Pentium (?:Dual-Core |Dual )?G(\d\d?)", _PENTIUM_G),
    (r"Pentium (?:Silver |Gold )?[NJ](\d\d\d?)", _LOW_POWER),
    (r"Pentium (?:Gold |Dual )?(\d\d\d?)\d?[UMY]", _MOBILE),
    (r"Pentium (B9)", _MOBILE),
    (r"Pentium (?:Gold )?(9|8505|7505)", {"9": 2011, "8505": 2022, "7505": 2020}),
    (r"Pentium P6|Pentium U5", 2010),
    (r"Pentium Dual-Core.*?\b([ET]\d)", {"E5": 2008, "E6": 2009, "E2": 2007, "T4": 2009, "T2": 2007, "T3": 2008}),
    (r"Pentium Dual.*?\b([ET]\d)", {"E2": 2007, "T2": 2007, "T3": 2008, "E5": 2008}),
    (r"Pentium E(\d)", {"2": 2007, "5": 2008, "6": 2009}),
    (r"Pentium T4", 2009),
    (r"Pentium D\b", 2005),
    (r"Pentium M\b", 2003),
    (r"Pentium 4\b", 2000),
    (r"Pentium III", 1999),
    (r"Celeron G(\d\d\d?)", _CELERON_G),
    (r"Celeron [NJ](\d\d\d?)", _LOW_POWER),
    (r"Celeron (?:Dual-Core )?(B8|\d\d\d?)\d?[UMYE]", _MOBILE),
    (r"Celeron (B8)", _MOBILE),
    (r"Celeron (\d\d)\d\d\b", {"63": 2020, "73": 2022}),
    (r"Celeron (?:Dual-Core )?([ETU]\d)", {"E1": 2008, "E3": 2009, "T1": 2008, "T3": 2009, "U3": 2010}),
    (r"Celeron (\d)\d\d\b", {"4": 2007, "5": 2007, "7": 2009, "8": 2011, "9": 2008}),
    (r"Celeron D|Celeron M", 2004),
    (r"Celeron(?: [\d.]+GHz)?$", 2002),
    (r"Genuine Intel ([TLU]2)\d00", {"T2": 2006, "L2": 2006, "U2": 2006}),
    (r"Atom x\d-Z8|Atom x\d-E8", 2015),
    (r"Atom x\d-E39|Atom E39", 2016),
    (r"Atom x6|Atom x7", 2021),
    (r"Atom.*?\b([A-Z]\d\d?)", {"N27": 2008, "N28": 2008, "N2": 2011, "N4": 2010, "N5": 2010, "D4": 2010, "D5": 2010, "D2": 2011,
                              "Z3": 2013, "C2": 2013, "C3": 2017, "E3": 2013, "Z2": 2012, "Z5": 2008, "C5": 2021, "P5": 2020}),
    (r"Atom.*?\b(?:2|3)30\b", 2008),
    # What QEMU calls its models
    (r"Core \((\w+)", {"Sandy": 2011, "Haswell": 2013, "Broadwell": 2014, "Skylake": 2015}),
    (r"^Westmere", 2010),
    (r"Nehalem", 2008),
    # AMD
    (r"Ryzen AI Max", 2025),
    (r"Ryzen AI \d+ (?:HX |PRO )*3[67]\d", 2024),
    (r"Ryzen AI \d+ (?:HX |PRO )*3\d\d", 2025),
    (r"Ryzen AI \d+ (?:HX |PRO )*4\d\d", 2026),
    (r"Ryzen Threadripper (?:PRO )?(\d)9", {"1": 2017, "2": 2018, "3": 2019, "5": 2022, "7": 2023, "9": 2025}),
    (r"Ryzen Embedded ([VR]\d)", {"V1": 2018, "R1": 2019, "V2": 2020, "R2": 2022}),
    (r"Ryzen Z1", 2023),
    (r"Ryzen \d (?:PRO )?7\d[345]\d(?:U|HS|HX|H)\b", 2023),
    (r"Ryzen \d (?:PRO )?(\d)\d{3}", _RYZEN),
    (r"Ryzen \d (?:PRO )?2\d\d\b", 2025),
    (r"Ryzen \d (?:PRO )?1\d\d\b", 2025),
    (r"EPYC 7\w\w(\d)", {"1": 2017, "2": 2019, "3": 2021}),
    (r"EPYC 4\w\w(\d)", {"4": 2024, "5": 2025}),
    (r"EPYC [89]\w\w(\d)", {"4": 2022, "5": 2024}),
    (r"EPYC 3\d\d1", 2018),
    (r"EPYC-(Rome|Milan|Genoa)", {"Rome": 2019, "Milan": 2021, "Genoa": 2022}),
    (r"EPYC.*\(with IBPB\)", 2017),
    (r"Athlon (?:Silver|Gold) (?:PRO )?(\d)\d", {"3": 2020, "7": 2022}),
    (r"Athlon (?:PRO )?(?:200|220|240|300|320|3000)G", 2018),
    (r"Athlon (?:PRO )?300U", 2019),
    (r"Athlon X4 ([789])\d\d", {"7": 2013, "8": 2014, "9": 2016}),
    (r"Athlon (?:5|X4 5)\d{3}", 2014),
    (r"Athlon II|Phenom II", 2009),
    (r"Phenom", 2007),
    (r"Athlon 64 X2|Athlon X2|Athlon Dual Core", 2005),
    (r"Athlon 64", 2003),
    (r"Athlon XP", 2001),
    (r"Sempron (\d)\d{3}(?!\+)", {"2": 2014, "3": 2014}),
    (r"Sempron (?:X2 )?1\d\d", 2009),
    (r"AMD 30[12]\de", 2020),
    (r"Sempron", 2004),
    (r"\bFX-[89]8\d\dP", 2016),
    (r"\bFX ?-?[4689](\d)\d\d", {"1": 2011, "3": 2012, "5": 2013}),
    (r"\bA\d\d?-([3-9])\d{3}", _A_SERIES),
    (r"\bA\d\d? PRO-([789])\d{3}", _A_SERIES),
    (r"\bE[12]-([1-9])", {"1": 2012, "2": 2013, "3": 2013, "6": 2014, "7": 2015, "9": 2016}),
    (r"\bE[12]?-[234]\d\d\b|\bC-[567]\d|\bE-240", 2011),
    (r"\bGX-\d\d\d|G-Series", 2013),
    (r"Turion II", 2009),
    (r"Turion", 2005),
    (r"Opteron X(\d)\d\d\d", {"1": 2013, "2": 2013, "3": 2017}),
    (r"Opteron.*? (\d\d)\w\w\b", {"61": 2010, "41": 2010, "62": 2011, "42": 2011, "63": 2012, "43": 2012, "33": 2012, "32": 2012,
                                "24": 2009, "84": 2009, "23": 2007, "83": 2007, "13": 2007, "12": 2006, "22": 2006, "82": 2006}),
    (r"Opteron.*? \d\d\d\b", 2003),
    # China
    (r"Hygon C86-(\d)G", {"3": 2022, "4": 2024}),
    (r"Hygon C86 \d(\d)\d\d", {"1": 2018, "2": 2020, "3": 2022, "4": 2024}),
    (r"K[XH]-?U?(\d)\d{3,4}[A-Z/]|K[XH]-(\d)", {"2": 2017, "5": 2017, "6": 2019, "3": 2019, "7": 2023, "4": 2024}),
    (r"ZX-[CD]|VIA QuadCore C4|VIA Eden X4", 2015),
    (r"FT-?1500", 2015),
    (r"FT-?2000\+|FTC66[12]\b", 2017),
    (r"FT-?2000|FTC663\b", 2019),
    (r"Phytium.*?\b([DSE]\d)\d00", {"D2": 2020, "S2": 2020, "E2": 2021, "D3": 2023, "S5": 2023}),
    (r"FTC3\d\d\b", 2021),
    (r"FTC86\d\b", 2022),
    (r"Kunpeng.?9(\d)\d", {"1": 2016, "2": 2019, "3": 2024}),
    (r"TaiShan v110", 2019),
    (r"TaiShan v200", 2024),
    (r"Kirin.?(9[79]|9000|9006)", {"97": 2017, "99": 2019, "9000": 2020, "9006": 2020}),
    (r"Loongson-[23][A-E](\d)000", {"1": 2012, "2": 2015, "3": 2016, "4": 2019, "5": 2021, "6": 2023}),
    # Arm
    (r"Cortex-(\w+)", _CORTEX),
    (r"Neoverse-(\w\d)", {"N1": 2019, "E1": 2019, "V1": 2020, "N2": 2021, "V2": 2022, "N3": 2024, "V3": 2024}),
    (r"Ampere Altra", 2020),
    (r"Ampere-1|AmpereOne", 2023),
    (r"ThunderX2", 2018),
    (r"Apple M(\d)", {"1": 2020, "2": 2022, "3": 2023, "4": 2024, "5": 2025}),
    (r"Snapdragon.*?(835|850|7c \+ Gen 3|7c|8c \b|8cx Gen 2|8cx Gen 3|8cx|X2)", {
        "835": 2017, "850": 2018, "7c": 2019, "7c + Gen 3": 2021, "8c ": 2019, "8cx": 2018, "8cx Gen 2": 2020, "8cx Gen 3": 2021,
        "X2": 2025}),
    (r"Snapdragon.*X", 2024),
    (r"Microsoft SQ(\d)", {"1": 2019, "2": 2020, "3": 2022}),
    # Others
    (r"VIA C7", 2005),
    (r"VIA Nano", 2008),
    (r"Crusoe", 2000),
)  # fmt: skip
_COMPILED = [(re.compile(pattern), found) for pattern, found in _RULES]


def year(model: str, mhz: int | None = None) -> int | None:
    """The year of the generation; None for a name that no rule knows.

    Windows XP and 2003 call a processor younger than themselves a Pentium III: a clock no Pentium III had gives that away.
    """
    name = " ".join(_NOISE.sub(" ", model).split())
    if "Pentium III" in name and (mhz or 0) > 1500:
        return None
    # Newer Xeons write themselves in capitals.
    name = name.title() if "XEON" in name else name
    for pattern, found in _COMPILED:
        match = pattern.search(name)
        if match is None:
            continue
        if isinstance(found, int):
            return found
        key = (match[1] or "").replace("V2", "v2")
        # The longest prefix that is listed: G39 alone says less than G393.
        for size in range(len(key), 0, -1):
            if key[:size] in found:
                return found[key[:size]]
        if key == "" and "" in found:
            return found[""]
    return None


def arm_core(implementer: str, part: str) -> tuple[str, str]:
    """(maker, core) by the numbers an Arm processor has instead of a name; empty where they are not known."""
    maker = _ARM_MAKERS.get(implementer.lower(), "")
    core = _ARM_CORES.get(implementer.lower(), {}).get(part.lower(), "")
    return maker, f"{maker} {core}" if core else ""


def clock_mhz(model: str) -> int | None:
    """The nominal clock where the name tells it ("@ 3.20GHz")."""
    match = _CLOCK.search(model)
    if match is None or match[1].count(".") > 1 or match[1] == ".":
        return None
    return round(float(match[1]) * (1000 if match[2].upper() == "G" else 1))
