"""The overview for people, in Vietnamese or English: units, devices, their states, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from html import escape
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from collector.model import Outcome, State

from .prometheus import Known, Office
from .sd import unit_path

_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_ORDER = (State.GARBLED, State.REFUSED, State.SILENT, State.PARTIAL, State.UNREACHABLE, State.UNKNOWN, State.OFF, State.UP)
"""Worst for who has to act first."""

_WORDS = {
    "vi": {
        "title": "Hải Đăng", "units": "Đơn vị", "unit": "Đơn vị", "kind": "Loại", "devices": "Thiết bị", "device": "Thiết bị",
        "name": "Tên", "address": "Địa chỉ", "state": "Trạng thái", "why": "Lý do", "answered": "Trả lời lần cuối",
        "took": "Thời gian trả lời", "page": "Số liệu", "never": "chưa bao giờ", "other": "English", "all": "Tất cả đơn vị",
        "make": "Hãng, dòng máy",
        State.UP: "Hoạt động", State.PARTIAL: "Trả lời thiếu", State.SILENT: "Không trả lời", State.UNKNOWN: "Chưa rõ",
        State.UNREACHABLE: "Mất kết nối", State.REFUSED: "Từ chối truy cập", State.GARBLED: "Trả lời sai",
        State.OFF: "Đã tắt",
    },
    "en": {
        "title": "Hải Đăng", "units": "Units", "unit": "Unit", "kind": "Kind", "devices": "Devices", "device": "Device",
        "name": "Name", "address": "Address", "state": "State", "why": "Why", "answered": "Last answer",
        "took": "Answer time", "page": "Metrics", "never": "never", "other": "Tiếng Việt", "all": "All units", "make": "Make",
        State.UP: "Up", State.PARTIAL: "Partial answers", State.SILENT: "Silent", State.UNKNOWN: "Unknown",
        State.UNREACHABLE: "Unreachable", State.REFUSED: "Access refused", State.GARBLED: "Garbled answers",
        State.OFF: "Off",
    },
}  # fmt: skip

_KINDS = {
    "province": "Tỉnh", "department": "Sở, ban, ngành", "district": "Huyện", "commune": "Xã", "ward": "Phường",
    "school": "Trường", "machine": "Máy", "datacentre": "Trung tâm dữ liệu",
}  # fmt: skip
"""The usual kinds of units in Vietnamese; another kind is shown as the settings write it."""

_DEVICE_KINDS = {
    "switch": "Bộ chuyển mạch", "router": "Bộ định tuyến", "firewall": "Tường lửa", "wireless": "Wi-Fi", "printer": "Máy in",
    "ups": "UPS", "pdu": "Thanh nguồn", "server": "Máy chủ", "workstation": "Máy trạm", "storage": "Lưu trữ",
    "sensor": "Cảm biến", "other": "Khác",
}  # fmt: skip

_WHY_STATE = {
    State.UNREACHABLE: "Cả đơn vị, hoặc thiết bị mạng đứng trước, không trả lời",
    State.OFF: "Agent trên máy đã báo dừng",
}
_WHY = {
    Outcome.PARTIAL: "Chỉ trả lời một phần",
    Outcome.TIMEOUT: "Không nhận được trả lời",
    Outcome.AUTH: "Sai community, tài khoản hoặc mật khẩu SNMPv3, hoặc máy giám sát không được phép hỏi",
    Outcome.MALFORMED: "Nhận được trả lời nhưng không đọc được",
    Outcome.CLOSED: "Có máy ở địa chỉ này nhưng cổng SNMP đóng",
    Outcome.UNREACHABLE: "Mạng báo không tới được địa chỉ này",
}
"""What stands, in Vietnamese, before the words in which the collector and its log say why: by state, otherwise by outcome."""

_STYLE = """\
body{font:15px/1.45 system-ui,sans-serif;margin:1.5rem auto;max-width:96rem;padding:0 1rem;color:#1b2430}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dde2e8}
thead th,tfoot th,tfoot td{border-bottom-width:2px}tfoot td{font-weight:600}
td{overflow-wrap:break-word}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}a{color:#0b5cad}small{color:#667085}
nav{float:right}td:last-child,.w{white-space:nowrap}main{overflow-x:auto}td.why{min-width:14rem}.up{color:#1a7f37}.partial{color:#9a6700}.silent,.refused,.garbled{color:#b42318;font-weight:600}
.unreachable{color:#b42318}.unknown,.off{color:#667085}"""


def province(offices: Iterable[Office], language: str) -> str:
    """All units with their devices by state."""
    words = _WORDS[language]
    counted = [(one, Counter(known.status.state for known in one.devices.values())) for one in offices]
    total: Counter[State] = sum((states for _, states in counted), Counter())
    # units that need somebody come first, otherwise they stay in the order of the settings
    counted.sort(key=lambda pair: next((i for i, state in enumerate(_ORDER) if pair[1][state]), len(_ORDER)))
    rows = []
    for one, states in counted:
        kind = _KINDS.get(one.unit.kind, one.unit.kind) if language == "vi" else one.unit.kind
        name = f'<a href="?{escape(_query(language, unit=one.unit.id))}">{escape(one.unit.name)}</a>'
        page = f'<a href="{escape(unit_path(one.unit.id))}">{words["page"]}</a>'
        rows.append(f"<tr><td>{name}</td><td>{escape(kind)}</td>{_counts(states)}<td>{page}</td></tr>")
    heads = "".join(f'<th class="n">{words[state]}</th>' for state in _ORDER)
    body = (
        f"<table><thead><tr><th>{words['unit']}</th><th>{words['kind']}</th>"
        f'<th class="n">{words["devices"]}</th>{heads}<th></th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody>"
        f"<tfoot><tr><th>{len(counted)}</th><th></th>{_counts(total)}<th></th></tr></tfoot></table>"
    )
    return _document(words["units"], body, language)


def office(one: Office, language: str) -> str:
    """One unit with all its devices, those that need somebody first."""
    words = _WORDS[language]
    known = sorted(one.devices.values(), key=lambda known: (_ORDER.index(known.status.state), known.device.id))
    columns = ("device", "name", "kind", "make", "address", "state", "why", "answered", "took")
    heads = "".join(f"<th>{words[key]}</th>" for key in columns)
    back = f'<p><a href="?{escape(_query(language))}">{words["all"]}</a></p>'
    rows = "".join(_device(each, words, language) for each in known)
    body = f"{back}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return _document(one.unit.name, body, language, unit=one.unit.id)


def _device(known: Known, words: dict[str, str], language: str) -> str:
    status, device = known.status, known.device
    when = words["never"]
    if status.answered is not None:
        when = datetime.fromtimestamp(status.answered, _ZONE).strftime("%d/%m/%Y %H:%M:%S")
    took = "" if status.answer_seconds is None else f"{status.answer_seconds * 1000:.1f} ms"
    took = took.replace(".", ",") if language == "vi" else took
    kind = _DEVICE_KINDS.get(known.kind, known.kind) if language == "vi" else known.kind
    named = device.name or known.name
    address = f"{device.address}:{device.port}" if device.port else device.address
    state = f'<td class="w {status.state}">{words[status.state]}</td>'
    return (
        f'<tr><td class="w">{escape(device.id)}</td><td>{escape(named)}</td><td>{escape(kind)}</td><td>{escape(known.make)}</td>'
        f'<td class="w">{escape(address)}</td>{state}{_why(known, language)}<td class="w">{when}</td><td>{took}</td></tr>'
    )


def _why(known: Known, language: str) -> str:
    status = known.status
    if not status.message:
        return "<td></td>"
    message = escape(status.message)
    said = ""
    if language == "vi":
        said = _WHY_STATE.get(status.state) or ("" if status.outcome is None else _WHY.get(status.outcome, ""))
    return f'<td class="why">{said}<br><small lang="en">{message}</small></td>' if said else f'<td class="why">{message}</td>'


def _counts(states: Counter[State]) -> str:
    cells = (f'<td class="n {state if states[state] else ""}">{states[state] or ""}</td>' for state in _ORDER)
    return f'<td class="n">{states.total()}</td>{"".join(cells)}'


def _query(language: str, **parameters: str) -> str:
    return urlencode({**parameters, **({"lang": "en"} if language == "en" else {})})


def _document(heading: str, body: str, language: str, **parameters: str) -> str:
    words = _WORDS[language]
    other = escape(_query("vi" if language == "en" else "en", **parameters))
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="60">'
        f"<title>{escape(heading)} · {words['title']}</title><style>{_STYLE}</style></head><body>"
        f'<nav><a href="?{other}">{words["other"]}</a></nav><h1>{words["title"]}: {escape(heading)}</h1>'
        f"<main>{body}</main></body></html>"
    )
