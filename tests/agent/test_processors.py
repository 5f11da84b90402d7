from __future__ import annotations

import pytest

from agent.inventory import processors


@pytest.mark.parametrize(
    ("model", "year"),
    [
        ("Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz", 2008), ("Intel(R) Core(TM) i7 CPU         920  @ 2.67GHz", 2008),
        ("Intel(R) Core(TM) i5 CPU       M 430  @ 2.27GHz", 2010), ("Intel(R) Core(TM) i5-2400 CPU @ 3.10GHz", 2011),
        ("Intel(R) Core(TM) i3-4130 CPU @ 3.40GHz", 2013), ("Intel(R) Core(TM) i5-6500 CPU @ 3.20GHz", 2015),
        ("Intel(R) Core(TM) i5-8400 CPU @ 2.80GHz", 2017), ("Intel(R) Core(TM) i3-10100 CPU @ 3.60GHz", 2019),
        ("Intel(R) Core(TM) i7-1065G7 CPU @ 1.30GHz", 2019), ("12th Gen Intel(R) Core(TM) i5-1235U", 2021),
        ("Intel(R) Core(TM) i7-14700K", 2023), ("Intel(R) Core(TM) Ultra 5 125H", 2023), ("Intel(R) N100", 2023),
        ("Intel(R) Pentium(R) CPU G630 @ 2.70GHz", 2011), ("Intel(R) Pentium(R) CPU G4560 @ 3.50GHz", 2016),
        ("Pentium(R) Dual-Core  CPU      E5400  @ 2.70GHz", 2008), ("Intel(R) Pentium(R) Gold G5400 CPU @ 3.70GHz", 2018),
        ("Intel(R) Celeron(R) CPU G1610 @ 2.60GHz", 2012), ("Intel(R) Celeron(R) N4020 CPU @ 1.10GHz", 2019),
        ("Intel(R) Celeron(R) N4000 CPU @ 1.10GHz", 2017), ("Intel(R) Celeron(R) CPU 847 @ 1.10GHz", 2011),
        ("Intel(R) Atom(TM) x5-Z8350  CPU @ 1.44GHz", 2015), ("Intel(R) Xeon(R) CPU E5-2650 0 @ 2.00GHz", 2012),
        ("Intel(R) Xeon(R) CPU E3-1220 V2 @ 3.10GHz", 2012), ("Intel(R) Xeon(R) Gold 6244 CPU @ 3.60GHz", 2019),
        ("AMD Ryzen 5 1600 Six-Core Processor", 2017), ("AMD Ryzen 3 3200G with Radeon Vega Graphics", 2019),
        ("AMD Ryzen 5 PRO 4650G with Radeon Graphics", 2020), ("AMD EPYC 7302 16-Core Processor", 2019),
        ("AMD A4-5300 APU with Radeon(tm) HD Graphics", 2012), ("AMD FX(tm)-6300 Six-Core Processor", 2012),
        ("AMD Athlon(tm) II X2 245 Processor", 2009), ("AMD E1-2100 APU with Radeon(TM) HD Graphics", 2013),
        ("AMD Ryzen 5 7600X 6-Core Processor", 2022), ("AMD Ryzen 7 7840HS w/ Radeon 780M Graphics", 2023),
        ("AMD Ryzen AI 9 HX 370 w/ Radeon 890M", 2024), ("AMD Sempron(tm) 140 Processor", 2009), ("AMD 3020e", 2020),
        ("INTEL(R) XEON(R) GOLD 6530", 2023), ("Intel(R) 300T", 2024), ("Intel(R) Celeron(R) J6412 @ 2.00GHz", 2021),
        ("Intel(R) Pentium(R) Gold 7505 @ 2.00GHz", 2020), ("Genuine Intel(R) CPU           T2300  @ 1.66GHz", 2006),
        ("Intel Core Processor (Haswell, no TSX)", 2013), ("Westmere E56xx/L56xx/X56xx (Nehalem-C)", 2010),
        ("Hygon C86 7185 32-core Processor", 2018), ("ZHAOXIN KaiXian KX-U6780A@2.7GHz", 2019),
        ("ZHAOXIN KaiXian KX-7000/8", 2023), ("Phytium,FT-2000/4", 2019), ("Phytium,D2000/8", 2020), ("Phytium S2500/64", 2020),
        ("HUAWEI Kunpeng 920 5250", 2019), ("Loongson-3A5000-HV", 2021), ("ICT Loongson-3A R3 (Loongson-3A3000) @ 1450MHz", 2016),
        ("Arm Cortex-A72", 2015), ("Arm Neoverse-N1", 2019), ("Apple M2 Pro", 2022), ("Snapdragon(R) X Elite - X1E78100", 2024),
        ("Snapdragon (TM) 8cx @ 2.84 GHz", 2018), ("Microsoft SQ1 @ 3.0 GHz", 2019),
    ],
)  # fmt: skip
def test_the_year_of_a_generation(model: str, year: int) -> None:
    """Office machines of the last twenty years are dated by the name of their processor."""
    assert processors.year(model) == year


@pytest.mark.parametrize("model", ["", "QEMU Virtual CPU version 2.5+", "AMD EPYC", "Intel(R) Xeon(TM) CPU 3.06GHz", "Lake 9000"])
def test_a_name_no_rule_knows_has_no_year(model: str) -> None:
    """Unknown stays unknown."""
    assert processors.year(model) is None


def test_a_pentium_iii_at_three_gigahertz_is_none() -> None:
    """Windows XP names what it does not know after the last processor it does."""
    assert processors.year("Intel Pentium III Xeon processor", 2527) is None
    assert processors.year("Intel(R) Pentium(R) III processor", 800) == 1999


def test_the_clock_in_the_name() -> None:
    """The nominal clock is taken from the name where it stands there."""
    assert processors.clock_mhz("Intel(R) Core(TM) i5-2400 CPU @ 3.10GHz") == 3100
    assert processors.clock_mhz("AMD Ryzen 5 1600") is None


def test_arm_processors_are_known_by_their_numbers() -> None:
    """The kernel gives implementer and part instead of a name; numbers that are not listed name nothing."""
    assert processors.arm_core("0x41", "0xd08") == ("Arm", "Arm Cortex-A72")
    assert processors.arm_core("0x70", "0x663") == ("Phytium", "Phytium FTC663")
    assert processors.arm_core("0x41", "0x999") == ("Arm", "") and processors.arm_core("", "") == ("", "")
    assert processors.year("Phytium FTC663") == 2019
