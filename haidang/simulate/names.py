"""What offices are called: invented, but of the parts that real commune names are made of. No name of a person."""

from __future__ import annotations

import unicodedata
from random import Random

PROVINCE = "Tỉnh Hải Đăng"

DEPARTMENTS = (
    ("Văn phòng Ủy ban nhân dân tỉnh", "VPUB"),
    ("Sở Khoa học và Công nghệ", "SKHCN"),
    ("Trung tâm Phục vụ hành chính công tỉnh", "TTHCC"),
    ("Sở Tài chính", "STC"),
    ("Sở Nội vụ", "SNV"),
    ("Sở Nông nghiệp và Môi trường", "SNNMT"),
    ("Sở Y tế", "SYT"),
    ("Sở Giáo dục và Đào tạo", "SGDDT"),
    ("Sở Xây dựng", "SXD"),
    ("Sở Tư pháp", "STP"),
    ("Sở Công Thương", "SCT"),
    ("Sở Văn hóa, Thể thao và Du lịch", "SVHTTDL"),
    ("Sở Dân tộc và Tôn giáo", "SDTTG"),
    ("Thanh tra tỉnh", "TTRA"),
    ("Ban Quản lý các khu công nghiệp", "BQLKCN"),
    ("Trung tâm Công nghệ thông tin và Truyền thông", "TTCNTT"),
    ("Chi cục Kiểm lâm", "CCKL"),
    ("Chi cục Thủy lợi", "CCTL"),
    ("Chi cục Chăn nuôi và Thú y", "CCCNTY"),
    ("Chi cục Dân số", "CCDS"),
    ("Trung tâm Kiểm soát bệnh tật", "TTKSBT"),
    ("Trung tâm Lưu trữ lịch sử", "TTLTLS"),
    ("Trung tâm Khuyến nông", "TTKN"),
    ("Trung tâm Dịch vụ việc làm", "TTDVVL"),
    ("Bảo tàng tỉnh", "BAOTANG"),
    ("Thư viện tỉnh", "THUVIEN"),
)
"""Offices of the province itself: name and the abbreviation that its machines bear."""

_FIRST = """An Bắc Bình Cẩm Châu Đại Đông Đồng Gia Hà Hải Hậu Hoa Hoằng Hợp Hưng Kim Lạc Long Lương Mỹ Nam Nghĩa Ngọc Ninh
    Phú Phúc Quảng Quý Tam Tân Tây Thạch Thái Thanh Thiệu Thọ Thượng Tiên Triệu Trung Trường Vạn Vân Vĩnh Xuân Yên Định"""
_SECOND = """An Bình Châu Đức Giang Hà Hải Hòa Hưng Khê Lâm Lập Lĩnh Lộc Long Lương Minh Mỹ Nghĩa Nguyên Ninh Phong Phú Phúc
    Phương Quang Quý Sơn Tâm Thành Thắng Thịnh Thọ Thủy Tiến Trạch Trung Tường Vân Vinh Xuân Yên"""

_BRANCH = "Chi nhánh Văn phòng Đăng ký đất đai khu vực"


def fold(text: str) -> str:
    """The text in ASCII letters: diacritics dropped, Đ becomes D."""
    parts = unicodedata.normalize("NFD", text.replace("Đ", "D").replace("đ", "d"))
    return "".join(c for c in parts if c.isascii())


def slug(text: str) -> str:
    """An identifier of small letters, digits and hyphens."""
    return "-".join("".join(c if c.isalnum() else " " for c in fold(text).lower()).split())


def department(number: int) -> tuple[str, str]:
    """Name and abbreviation of the province's office `number`, counted from 0."""
    if number < len(DEPARTMENTS):
        return DEPARTMENTS[number]
    branch = number - len(DEPARTMENTS) + 1
    return f"{_BRANCH} {branch}", f"DKDD{branch}"


def communes(count: int, random: Random) -> list[tuple[str, str]]:
    """Names and kinds (``commune`` or ``ward``) of `count` communes, no two alike even without diacritics.

    Raises ValueError when there are not enough names.
    """
    pairs = {slug(f"{a} {b}"): f"{a} {b}" for a in _FIRST.split() for b in _SECOND.split() if fold(a) != fold(b)}
    if count > len(pairs):
        raise ValueError(f"{count} communes asked for, there are names for {len(pairs)}")
    chosen = random.sample(list(pairs.values()), count)
    return [(f"Phường {name}", "ward") if random.random() < 0.15 else (f"Xã {name}", "commune") for name in chosen]
