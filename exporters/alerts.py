"""Alert rules for Prometheus.

A timestamped series lingers for Prometheus' lookback (5 min) after it vanished, so every rule on polled values joins the state of
its device. Each rule brings an example that fires; where the device has fallen silent the same values must not.
"""

from __future__ import annotations

from dataclasses import dataclass

from .promql import CARD, PORT_UP, SLOWER_THAN_CARD, SPEED, by_device, used_share

ANSWERING = 'max by (device, unit) (haidang_device_state{state=~"up|partial"} == 1)'
"""1 for each device that answers, with its unit."""

_LIVE = f"* on (device) group_left (unit) {ANSWERING}"
_NAMED = "* on (device) group_left (name, kind) max by (device, name, kind) (haidang_device_info)"

_QUIET = "max by (unit) (haidang_unit_reachable) == 0"
_STAYS_ON = 'max by (unit) (haidang_device_info{kind!~"workstation|printer"})'
"""Units with a device that is not switched off at night."""
_OFFICE = "* on (unit) group_left (name) max by (unit, name) (haidang_unit_info)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert. Texts are (summary, cause) and may hold Prometheus' templates.

    `example` are input series (promtool's notation, a value every ten minutes) that fire it, with `labels`, `at` that time;
    `shown` is what its texts then make of the value. With the `told` series as well it is quiet: another alert tells it.
    """

    name: str
    expression: str
    wait: str
    severity: str
    vietnamese: tuple[str, str]
    english: tuple[str, str]
    example: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    shown: str = ""
    at: str = "2h"
    told: tuple[tuple[str, str], ...] = ()

    @property
    def polled(self) -> bool:
        """Whether it looks at values that were polled."""
        return _LIVE in self.expression

    def annotations(self) -> dict[str, str]:
        """In Vietnamese, and with _en in English."""
        return {
            "summary": self.vietnamese[0],
            "description": self.vietnamese[1],
            "summary_en": self.english[0],
            "description_en": self.english[1],
        }


def _state(state: str) -> str:
    return f'max by (device, unit) (haidang_device_state{{state="{state}"}}) == 1'


_SLOW = f"({SLOWER_THAN_CARD}) {_LIVE}"
_UNLESS_DEGRADED = 'unless on (device, interface) haidang_port_degraded{reason=~"past|allowed|peer"}'
_FASTEST = f"max by (unit) ((8 * {SPEED} and on (device, interface) {CARD} {PORT_UP}) {_LIVE})"
"""What the best connected machine of each unit reaches: where none reaches more, it is the switch and not a cable."""
_WRITABLE = '{storage!~"(/var/lib/snapd)?/snap/.*|/(proc|sys)/.*"}'
"""Images of snap packages are always full, as net-snmp tells them."""
_DEVICE = (("device", "sw1"), ("unit", "xa-1"))
_UP = ('haidang_device_state{device="sw1",unit="xa-1",state="up"}', "1x12")
_INFO = ('haidang_device_info{device="sw1",unit="xa-1",name="Tang 2",kind="switch"}', "1x12")
_PORT = 'device="sw1",unit="xa-1",interface="eth0"'
_PORT_ONLY = 'device="sw1",interface="eth0"'
_PORT_IS_UP = (f"haidang_interface_up{{{_PORT}}}", "1x12")
_AT_100M = (
    _UP, _PORT_IS_UP, (f"haidang_interface_speed_bytes_per_second{{{_PORT}}}", "12500000x12"),
    (f"haidang_interface_speed_limit_bytes_per_second{{{_PORT}}}", "125000000x12"),
)  # fmt: skip
_NAMED_LABELS = (*_DEVICE, ("name", "Tang 2"), ("kind", "switch"))

DEVICES = (
    Rule(
        "HaidangDeviceSilent",
        f'({_state("silent")}) {_NAMED} unless on (device) haidang_device_info{{kind=~"workstation|printer"}}',
        "10m", "critical",
        ("Thiết bị {{ $labels.device }} không trả lời",
         "{{ $labels.name }} ({{ $labels.kind }}) tại {{ $labels.unit }} im lặng trong khi đường truyền của đơn vị "
         "vẫn hoạt động: kiểm tra nguồn điện, dây mạng, và thiết bị có bị treo không."),
        ("Device {{ $labels.device }} is silent",
         "{{ $labels.name }} ({{ $labels.kind }}) in {{ $labels.unit }} does not answer while the unit's line works: "
         "check its power, its cable, and whether it hangs."),
        (('haidang_device_state{device="sw1",unit="xa-1",state="silent"}', "1x12"), _INFO),
        _NAMED_LABELS,
    ),
    Rule(
        "HaidangMachineLongSilent",
        f'({_state("silent")}) {_NAMED} and on (device) haidang_device_info{{kind=~"workstation|printer"}}',
        "7d", "info",
        ("Máy {{ $labels.device }} không thấy đã 7 ngày",
         "{{ $labels.name }} tại {{ $labels.unit }} tắt quá lâu: có thể đã hỏng, chuyển đi hoặc không còn dùng."),
        ("Machine {{ $labels.device }} was not seen for 7 days",
         "{{ $labels.name }} in {{ $labels.unit }} has been off for long: it may be broken, moved or no longer used."),
        (('haidang_device_state{device="sw1",unit="xa-1",state="silent"}', "1x1020"),
         ('haidang_device_info{device="sw1",unit="xa-1",name="Tang 2",kind="workstation"}', "1x1020")),
        (*_DEVICE, ("name", "Tang 2"), ("kind", "workstation")), "", "7d1h",
    ),
    Rule(
        "HaidangDeviceRefused",
        f'({_state("refused")}) {_NAMED}',
        "15m", "warning",
        ("Thiết bị {{ $labels.device }} từ chối truy cập",
         "Community hoặc tài khoản SNMPv3 của {{ $labels.name }} tại {{ $labels.unit }} không còn đúng, "
         "thiết bị không cho phép địa chỉ của máy thu thập, hoặc dịch vụ SNMP của nó không chạy."),
        ("Device {{ $labels.device }} refuses access",
         "The community or SNMPv3 user of {{ $labels.name }} in {{ $labels.unit }} is no longer right, "
         "the device does not allow the collector's address, or its SNMP agent does not run."),
        (('haidang_device_state{device="sw1",unit="xa-1",state="refused"}', "1x12"), _INFO),
        _NAMED_LABELS,
    ),
    Rule(
        "HaidangDeviceGarbled",
        f'({_state("garbled")}) {_NAMED}',
        "15m", "warning",
        ("Thiết bị {{ $labels.device }} trả lời sai",
         "{{ $labels.name }} tại {{ $labels.unit }} gửi gói tin không đúng chuẩn SNMP: khởi động lại hoặc nâng cấp phần mềm."),
        ("Device {{ $labels.device }} sends garbled answers",
         "{{ $labels.name }} in {{ $labels.unit }} sends packets that are not valid SNMP: restart it or update its software."),
        (('haidang_device_state{device="sw1",unit="xa-1",state="garbled"}', "1x12"), _INFO),
        _NAMED_LABELS,
    ),
    Rule(
        "HaidangUnitUnreachable",
        f"({_QUIET} and on (unit) {_STAYS_ON}) {_OFFICE}",
        "5m", "critical",
        ("Đơn vị {{ $labels.unit }} mất kết nối",
         "Không thiết bị nào của {{ $labels.name }} trả lời: đường truyền bị đứt, bộ định tuyến hỏng hoặc mất điện toàn đơn vị."),
        ("Unit {{ $labels.unit }} is unreachable",
         "No device of {{ $labels.name }} answers: its line is cut, its router has failed, or its power is out."),
        (('haidang_unit_reachable{unit="xa-1"}', "0x12"), _INFO,
         ('haidang_unit_info{unit="xa-1",name="Xa Hoa Loc",kind="commune",parent="tinh"}', "1x12")),
        (("unit", "xa-1"), ("name", "Xa Hoa Loc")),
    ),
    Rule(
        "HaidangUnitLongQuiet",
        f"({_QUIET} unless on (unit) {_STAYS_ON}) {_OFFICE}",
        "4d", "warning",
        ("Đơn vị {{ $labels.unit }} không thấy máy nào đã 4 ngày",
         "Từ {{ $labels.name }} chỉ biết máy trạm và máy in, ban đêm và cuối tuần có thể tắt hết; đã 4 ngày thì có thể đường "
         "truyền bị đứt. Theo dõi thêm bộ định tuyến hoặc bộ chuyển mạch để biết ngay."),
        ("Nothing was heard of unit {{ $labels.unit }} for 4 days",
         "Of {{ $labels.name }} only workstations and printers are known, which may all be off at night and on weekends; after "
         "4 days its line may be cut. Watch its router or switch as well to know at once."),
        (('haidang_unit_reachable{unit="xa-1"}', "0x720"),
         ('haidang_device_info{device="pc1",unit="xa-1",name="Tang 2",kind="workstation"}', "1x720"),
         ('haidang_unit_info{unit="xa-1",name="Xa Hoa Loc",kind="commune",parent="tinh"}', "1x720")),
        (("unit", "xa-1"), ("name", "Xa Hoa Loc")), "", "4d1h",
        told=(('haidang_device_info{device="sw1",unit="xa-1",name="Tang 2",kind="switch"}', "1x720"),),
    ),
)  # fmt: skip

PORTS = (
    Rule(
        "HaidangPortSlowerThanCard",
        f"({_SLOW}) < on (unit) group_left () {_FASTEST} {_UNLESS_DEGRADED}",
        "15m", "warning",
        ("Cổng {{ $labels.interface }} của {{ $labels.device }} chạy chậm hơn khả năng của card mạng",
         "Cổng chỉ chạy {{ $value | humanize }}bit/s, máy khác của đơn vị chạy nhanh hơn: dây mạng hỏng hoặc chỉ nối 4 sợi, "
         "đầu bấm lỏng, hoặc cổng bộ chuyển mạch chậm hơn card."),
        ("Port {{ $labels.interface }} of {{ $labels.device }} runs slower than its card allows",
         "It runs at {{ $value | humanize }}bit/s, another machine of the unit faster: a damaged or four-wire cable, "
         "a loose plug, or a switch port slower than the card."),
        (*_AT_100M, *((series.replace("sw1", "pc2"), value.replace("12500000x", "125000000x")) for series, value in _AT_100M)),
        (*_DEVICE, ("interface", "eth0")), "100M",
        told=((f'haidang_port_degraded{{{_PORT_ONLY},reason="past"}}', "1x12"),),
    ),
    Rule(
        "HaidangSwitchSlowerThanCards",
        f"count by (unit) (({_SLOW}) >= on (unit) group_left () {_FASTEST} {_UNLESS_DEGRADED}) "
        "* on (unit) group_left (name) max by (unit, name) (haidang_unit_info)",
        "1d", "info",
        ("Máy của {{ $labels.name }} chạy chậm hơn khả năng của card mạng",
         "{{ $value }} máy, và không máy nào của đơn vị chạy nhanh hơn: bộ chuyển mạch chậm hơn card mạng; "
         "nếu chỉ có một máy thì có thể do dây mạng."),
        ("Machines of {{ $labels.name }} run slower than their cards allow",
         "{{ $value }} machines, and none of the unit runs faster: their switch is slower than their cards; "
         "of a single machine it may be the cable."),
        (*((series, values.replace("x12", "x180")) for series, values in _AT_100M),
         ('haidang_unit_info{unit="xa-1",name="Xa Hoa Loc",kind="commune",parent="tinh"}', "1x180")),
        (("unit", "xa-1"), ("name", "Xa Hoa Loc")), "1", "1d1h",
        told=((f'haidang_port_degraded{{{_PORT_ONLY},reason="past"}}', "1x180"),),
    ),
    Rule(
        "HaidangPortDegraded",
        '(max by (device, interface, reason) (haidang_port_degraded{reason=~"past|allowed|peer"}) * on (device, interface) '
        f"group_left () (8 * {by_device('haidang_port_expected_bytes_per_second', 'interface')}) {PORT_UP}) {_LIVE}",
        "30m", "warning",
        ("Cổng {{ $labels.interface }} của {{ $labels.device }} chậm hơn trước đây hoặc chậm hơn khả năng của hai đầu dây",
         "Lẽ ra phải đạt {{ $value | humanize }}bit/s: thường do dây mạng hoặc đầu bấm đang hỏng dần; "
         "lệnh haidang topology cho biết cổng nối với máy nào và chậm từ ngày nào."),
        ("Port {{ $labels.interface }} of {{ $labels.device }} is slower than it was, or than both ends of its cable can",
         "It should reach {{ $value | humanize }}bit/s: usually a cable or plug that is going bad; "
         "haidang topology says which machine hangs on it and since when it is slow."),
        (_UP, _PORT_IS_UP, (f'haidang_port_degraded{{{_PORT_ONLY},reason="past"}}', "1x12"),
         (f"haidang_port_expected_bytes_per_second{{{_PORT_ONLY}}}", "125000000x12")),
        (*_DEVICE, ("interface", "eth0"), ("reason", "past")), "1G",
    ),
    Rule(
        "HaidangPortHalfDuplex",
        f"({by_device('haidang_interface_full_duplex', 'interface')} == 0 {PORT_UP}) {_LIVE} unless on (device, interface) "
        "(max by (device, interface) (haidang_link_info) unless on (device, interface) "
        'haidang_port_degraded{reason=~"half_duplex|duplex_mismatch"})',
        "30m", "info",
        ("Cổng {{ $labels.interface }} của {{ $labels.device }} chạy bán song công",
         "Hai đầu dây không thỏa thuận được chế độ: để cả hai đầu tự động, hoặc thay hub cũ."),
        ("Port {{ $labels.interface }} of {{ $labels.device }} runs half duplex",
         "The two ends of the cable did not agree: set both to automatic, or replace an old hub."),
        (_UP, _PORT_IS_UP, (f"haidang_interface_full_duplex{{{_PORT}}}", "0x12")),
        (*_DEVICE, ("interface", "eth0")),
        told=((f'haidang_link_info{{{_PORT_ONLY},remote_device="pc1",remote_interface="eth0"}}', "1x12"),),
    ),
    Rule(
        "HaidangPortErrors",
        f"({by_device('increase(haidang_interface_receive_errors_total[1h])', 'interface')} > 100) {_LIVE}",
        "15m", "warning",
        ("Cổng {{ $labels.interface }} của {{ $labels.device }} nhận nhiều gói lỗi",
         "{{ $value | humanize }} gói lỗi trong một giờ: dây mạng hỏng, nhiễu, hoặc hai đầu khác chế độ song công."),
        ("Port {{ $labels.interface }} of {{ $labels.device }} receives many errors",
         "{{ $value | humanize }} errors in an hour: a bad cable, interference, or a duplex mismatch."),
        (_UP, (f"haidang_interface_receive_errors_total{{{_PORT}}}", "0+100x12")),
        (*_DEVICE, ("interface", "eth0")), "600",
    ),
)  # fmt: skip

PARTS = (
    Rule(
        "HaidangStorageNearlyFull",
        f"(({used_share('storage', _WRITABLE)}) > 0.9) {_LIVE}",
        "30m", "warning",
        ("Ổ {{ $labels.storage }} của {{ $labels.device }} gần đầy",
         "Đã dùng {{ $value | humanizePercentage }}: dọn dẹp hoặc tăng dung lượng trước khi máy ngừng hoạt động."),
        ("Volume {{ $labels.storage }} of {{ $labels.device }} is nearly full",
         "{{ $value | humanizePercentage }} are used: clean up or enlarge it before the machine stops working."),
        (_UP, ('haidang_storage_used_bytes{device="sw1",unit="xa-1",storage="C:"}', "95000000000x12"),
         ('haidang_storage_size_bytes{device="sw1",unit="xa-1",storage="C:"}', "100000000000x12")),
        (*_DEVICE, ("storage", "C:")), "95%",
    ),
    Rule(
        "HaidangDiskFailing",
        f"""({by_device('haidang_disk_health{health="failing"}', 'disk')} == 1) {_LIVE}""",
        "5m", "critical",
        ("Ổ cứng {{ $labels.disk }} của {{ $labels.device }} sắp hỏng",
         "SMART báo ổ sắp hỏng: sao lưu dữ liệu ngay và thay ổ."),
        ("Disk {{ $labels.disk }} of {{ $labels.device }} is failing",
         "SMART says the disk is failing: back up its data now and replace it."),
        (_UP, ('haidang_disk_health{device="sw1",unit="xa-1",disk="sda",health="failing"}', "1x12")),
        (*_DEVICE, ("disk", "sda")),
    ),
    Rule(
        "HaidangBatteryLow",
        f"({by_device('haidang_sensor_charge_ratio', 'sensor')} < 0.5) {_LIVE}",
        "1m", "critical",
        ("Ắc quy của {{ $labels.device }} còn {{ $value | humanizePercentage }}",
         "UPS đang chạy bằng ắc quy hoặc ắc quy không còn giữ điện: kiểm tra nguồn điện và tắt máy chủ đúng cách nếu cần."),
        ("The battery of {{ $labels.device }} is at {{ $value | humanizePercentage }}",
         "The UPS runs on battery, or the battery no longer holds: check the mains, and shut servers down properly if need be."),
        (_UP, ('haidang_sensor_charge_ratio{device="sw1",unit="xa-1",sensor="Battery"}', "0.25x12")),
        (*_DEVICE, ("sensor", "Battery")), "25%",
    ),
    Rule(
        "HaidangSupplyLow",
        f"({by_device('haidang_supply_level_ratio', 'supply', 'kind')} < 0.1) {_LIVE}",
        "1h", "info",
        ("{{ $labels.supply }} của máy in {{ $labels.device }} sắp hết",
         "Còn {{ $value | humanizePercentage }}: chuẩn bị vật tư thay thế."),
        ("{{ $labels.supply }} of printer {{ $labels.device }} is running out",
         "{{ $value | humanizePercentage }} are left: have a replacement ready."),
        (_UP, ('haidang_supply_level_ratio{device="sw1",unit="xa-1",supply="Black",kind="toner"}', "0.05x12")),
        (*_DEVICE, ("supply", "Black"), ("kind", "toner")), "5%",
    ),
)  # fmt: skip

COLLECTOR = (
    Rule(
        "HaidangCollectorGone",
        "absent(haidang_collector_units)",
        "5m", "critical",
        ("Không còn số liệu từ máy thu thập", "Máy thu thập đã dừng hoặc Prometheus không đọc được trang /metrics của nó."),
        ("No metrics from the collector", "The collector has stopped, or Prometheus cannot read its page /metrics."),
        (),
        (),
    ),
    Rule(
        "HaidangCollectorOverruns",
        "increase(haidang_collector_cycle_overruns_total[15m]) > 0",
        "15m", "warning",
        ("Vòng thu thập không kịp hoàn thành",
         "Có đơn vị không hỏi xong trong một chu kỳ: xem haidang_unit_cycle_overruns_total để biết đơn vị nào."),
        ("Polling cycles overrun",
         "Some units are not asked within the interval: haidang_unit_cycle_overruns_total says which."),
        (("haidang_collector_cycle_overruns_total", "0+1x12"),),
        (),
    ),
    Rule(
        "HaidangCollectorSocketDrops",
        "increase(haidang_collector_socket_dropped_total[15m]) > 0",
        "0m", "warning",
        ("Máy thu thập làm rơi gói tin",
         "Bộ đệm nhận của socket bị đầy: tăng sysctl net.core.rmem_max rồi khởi động lại máy thu thập."),
        ("The collector drops packets",
         "The socket's receive buffer was full: raise sysctl net.core.rmem_max and restart the collector."),
        (("haidang_collector_socket_dropped_total", "0+1x12"),),
        (),
    ),
)  # fmt: skip

GROUPS = {"devices": DEVICES, "ports": PORTS, "parts": PARTS, "collector": COLLECTOR}


def expressions() -> dict[str, str]:
    """Alert name -> PromQL."""
    return {rule.name: rule.expression for rules in GROUPS.values() for rule in rules}
