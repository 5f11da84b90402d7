"""Grafana dashboards, of the province and of one device, in Vietnamese and English, built with grafana-foundation-sdk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path
from typing import Literal

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import LegendPlacement
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .files import write_files
from .promql import SLOWER_THAN_CARD, by_device, used_share

_UNIT = 'unit=~"$unit"'
_LIVE = f'* on (device) group_left (unit) max by (device, unit) (haidang_device_state{{{_UNIT},state=~"up|partial"}} == 1)'


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: titles in Vietnamese and English, what it shows of which expression, and the labels that name its lines.

    `unit` is one of Grafana's.
    """

    titles: tuple[str, str]
    kind: Literal["stat", "lines", "table"]
    expression: str
    legend: str = ""
    unit: str = "short"
    width: int = 12


@dataclass(frozen=True, slots=True)
class Row:
    """A heading with its panels."""

    titles: tuple[str, str]
    panels: tuple[Panel, ...]


def _count(state: str) -> str:
    return f'sum(max by (device) (haidang_device_state{{{_UNIT},state="{state}"}}))'


def _traffic(direction: str) -> str:
    rate = f"8 * rate(haidang_interface_{direction}_bytes_total[$__rate_interval])"
    return f"topk(10, sum by (unit) (({by_device(rate, 'interface')}) {_LIVE}))"


ROWS = (
    Row(("Toàn tỉnh", "Province"), (
        Panel(("Hoạt động", "Up"), "stat", _count("up"), width=4),
        Panel(("Không trả lời", "Silent"), "stat", _count("silent"), width=4),
        Panel(("Đơn vị mất kết nối", "Units unreachable"), "stat",
              f"count(max by (unit) (haidang_unit_reachable{{{_UNIT}}}) == 0) or vector(0)", width=4),
        Panel(("Từ chối truy cập", "Access refused"), "stat", _count("refused"), width=4),
        Panel(("Trả lời sai", "Garbled"), "stat", _count("garbled"), width=4),
        Panel(("Chưa rõ", "Unknown"), "stat", _count("unknown"), width=4),
        Panel(("Thiết bị theo trạng thái", "Devices by state"), "lines",
              f"sum by (state) (max by (device, state) (haidang_device_state{{{_UNIT}}}))", "{{state}}"),
        Panel(("Đơn vị mất kết nối", "Unreachable units"), "table",
              f"(max by (unit) (haidang_unit_reachable{{{_UNIT}}}) == 0) "
              "* on (unit) group_left (name, parent) max by (unit, name, parent) (haidang_unit_info)"),
        Panel(("Thiết bị không trả lời", "Silent devices"), "table",
              f'(max by (device, unit) (haidang_device_state{{{_UNIT},state="silent"}}) == 1) '
              "* on (device) group_left (name, kind, address) max by (device, name, kind, address) (haidang_device_info)"),
        Panel(("Đơn vị có nhiều thiết bị im lặng nhất", "Units with most silent devices"), "table",
              f'topk(20, sum by (unit) (max by (device, unit) (haidang_device_state{{{_UNIT},state="silent"}})))'),
    )),
    Row(("Đường truyền", "Lines"), (
        Panel(("Thời gian trả lời chậm nhất", "Slowest answers"), "lines",
              f"topk(10, max by (device, unit) (haidang_device_answer_seconds{{{_UNIT}}}))", "{{unit}} {{device}}", "s"),
        Panel(("Tỷ lệ phải hỏi lại", "Requests repeated"), "lines",
              f"topk(10, sum by (unit) (rate(haidang_device_retries_total{{{_UNIT}}}[$__rate_interval])) "
              f"/ (sum by (unit) (rate(haidang_device_requests_total{{{_UNIT}}}[$__rate_interval])) > 0))",
              "{{unit}}", "percentunit"),
        Panel(("Lưu lượng nhận theo đơn vị", "Received traffic by unit"), "lines", _traffic("receive"), "{{unit}}", "bps"),
        Panel(("Lưu lượng gửi theo đơn vị", "Sent traffic by unit"), "lines", _traffic("transmit"), "{{unit}}", "bps"),
    )),
    Row(("Cần xử lý", "To be done"), (
        Panel(("Cổng chậm hơn khả năng của card (bit/s)", "Ports slower than their cards (bit/s)"), "table",
              f"({SLOWER_THAN_CARD}) {_LIVE}", unit="bps"),
        Panel(("Ổ đĩa đầy nhất", "Fullest volumes"), "table", f"topk(20, ({used_share('storage')}) {_LIVE})", unit="percentunit"),
        Panel(("Bộ xử lý bận nhất", "Busiest processors"), "table",
              f"topk(20, avg by (device) (haidang_processor_load_ratio) {_LIVE})", unit="percentunit"),
        Panel(("Bộ nhớ đầy nhất", "Fullest memories"), "table",
              f"topk(20, ({used_share('memory')}) {_LIVE})", unit="percentunit"),
        Panel(("Ắc quy UPS", "UPS batteries"), "table", f"sort({by_device('haidang_sensor_charge_ratio', 'sensor')} {_LIVE})",
              unit="percentunit"),
        Panel(("Vật tư máy in sắp hết", "Printer supplies running out"), "table",
              f"({by_device('haidang_supply_level_ratio', 'supply', 'kind')} < 0.2) {_LIVE}", unit="percentunit"),
    )),
    Row(("Máy thu thập", "Collector"), (
        Panel(("Vòng thu thập dài nhất", "Longest cycle"), "lines", "haidang_collector_cycle_seconds", "{{instance}}", "s", 8),
        Panel(("Vòng không kịp", "Cycles overrun"), "lines",
              "increase(haidang_collector_cycle_overruns_total[$__rate_interval])", "{{instance}}", width=8),
        Panel(("Lỗi theo loại", "Errors by kind"), "lines",
              "sum by (kind) (rate(haidang_collector_errors_total[$__rate_interval]))", "{{kind}}", width=8),
        Panel(("Gói tin gửi mỗi giây", "Packets sent a second"), "lines",
              "rate(haidang_collector_packets_sent_total[$__rate_interval])", "{{instance}}", "pps", 8),
        Panel(("Gói tin bị rơi", "Packets dropped"), "lines",
              "increase(haidang_collector_socket_dropped_total[$__rate_interval])", "{{instance}}", width=8),
        Panel(("Số giá trị trên các trang", "Values on all pages"), "lines", "haidang_collector_values", "{{instance}}", width=8),
    )),
)  # fmt: skip


_ONE = 'device=~"$device"'


def _own(metric: str, *labels: str) -> str:
    return by_device(f"{metric}{{{_ONE}}}", *labels)


def _flow(metric: str, factor: str = "") -> str:
    return f"{factor}max by (device, interface) (rate(haidang_interface_{metric}_total{{{_ONE}}}[$__rate_interval]))"


DEVICE_ROWS = (
    Row(("Thiết bị", "Device"), (
        Panel(("Là gì", "What it is"), "table",
              "max by (device, unit, name, address, kind, vendor, model, serial, os, os_version) "
              f"(haidang_device_info{{{_ONE}}})", width=24),
        Panel(("Trạng thái", "State"), "lines", f"max by (device, state) (haidang_device_state{{{_ONE}}}) == 1",
              "{{device}} {{state}}", width=8),
        Panel(("Thời gian trả lời", "Answer time"), "lines", _own("haidang_device_answer_seconds"), "{{device}}", "s", 8),
        Panel(("Thời gian hoạt động", "Uptime"), "lines", _own("haidang_device_uptime_seconds"), "{{device}}", "s", 8),
    )),
    Row(("Cổng", "Ports"), (
        Panel(("Lưu lượng nhận", "Received traffic"), "lines", _flow("receive_bytes", "8 * "), "{{interface}}", "bps"),
        Panel(("Lưu lượng gửi", "Sent traffic"), "lines", _flow("transmit_bytes", "8 * "), "{{interface}}", "bps"),
        Panel(("Lỗi và gói bị bỏ khi nhận, mỗi giây", "Errors and discards received a second"), "lines",
              f"{_flow('receive_errors')} + ({_flow('receive_discards')} or 0 * {_flow('receive_errors')})",
              "{{interface}}", "pps"),
        Panel(("Lỗi và gói bị bỏ khi gửi, mỗi giây", "Errors and discards sent a second"), "lines",
              f"{_flow('transmit_errors')} + ({_flow('transmit_discards')} or 0 * {_flow('transmit_errors')})",
              "{{interface}}", "pps"),
        Panel(("Tốc độ các cổng đang hoạt động", "Speed of the ports that are up"), "table",
              f"(8 * {_own('haidang_interface_speed_bytes_per_second', 'interface')} "
              f"and on (device, interface) {_own('haidang_interface_up', 'interface')} == 1) "
              f"* on (device, interface) group_left (alias) {_own('haidang_interface_info', 'interface', 'alias')}", unit="bps"),
        Panel(("Nối với", "What hangs on them"), "table",
              _own("haidang_link_info", "interface", "remote_device", "remote_interface", "protocol")),
    )),
    Row(("Sức khỏe", "Health"), (
        Panel(("Bộ xử lý", "Processors"), "lines", _own("haidang_processor_load_ratio", "processor"), "{{processor}}",
              "percentunit", 8),
        Panel(("Bộ nhớ", "Memory"), "lines", used_share("memory", f"{{{_ONE}}}"), "{{memory}}", "percentunit", 8),
        Panel(("Ổ đĩa", "Volumes"), "lines", used_share("storage", f"{{{_ONE}}}"), "{{storage}}", "percentunit", 8),
        Panel(("Nhiệt độ", "Temperatures"), "lines", _own("haidang_sensor_celsius", "sensor"), "{{sensor}}", "celsius", 8),
        Panel(("Ắc quy", "Battery"), "lines", _own("haidang_sensor_charge_ratio", "sensor"), "{{sensor}}", "percentunit", 8),
        Panel(("Thời gian còn lại bằng ắc quy", "Time left on battery"), "lines",
              _own("haidang_sensor_runtime_seconds", "sensor"), "{{sensor}}", "s", 8),
        Panel(("Điện áp", "Voltages"), "lines", _own("haidang_sensor_volts", "sensor"), "{{sensor}}", "volt", 8),
        Panel(("Công suất", "Power"), "lines", _own("haidang_sensor_watts", "sensor"), "{{sensor}}", "watt", 8),
        Panel(("Vật tư máy in", "Printer supplies"), "lines", _own("haidang_supply_level_ratio", "supply"), "{{supply}}",
              "percentunit", 8),
    )),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: titles in Vietnamese and English, its rows, and whether it shows one device instead of units."""

    titles: tuple[str, str]
    rows: tuple[Row, ...]
    one_device: bool = False


BOARDS = {
    "province": Board(("Hải Đăng: toàn tỉnh", "Hải Đăng: the province"), ROWS),
    "device": Board(("Hải Đăng: thiết bị", "Hải Đăng: a device"), DEVICE_ROWS, one_device=True),
}


def expressions() -> dict[str, str]:
    """English panel title -> PromQL, for all units and devices, with Grafana's variables replaced."""
    return {
        f"{row.titles[1]}: {panel.titles[1]}": panel.expression.replace("$__rate_interval", "5m")
        .replace("$unit", ".*")
        .replace("$device", ".*")
        for board in BOARDS.values()
        for row in board.rows
        for panel in row.panels
    }


_SOURCE = model.DataSourceRef(type_val="prometheus", uid="${source}")


def dashboard(name: str, language: Literal["vi", "en"]) -> model.Dashboard:
    """One of BOARDS."""
    board, at = BOARDS[name], ("vi", "en").index(language)
    built = (
        build.Dashboard(board.titles[at])
        .uid(f"haidang-{name}-{language}")
        .tags(["haidang"])
        .timezone("Asia/Ho_Chi_Minh")
        .refresh("1m")
        .time("now-6h", "now")
        .with_variable(build.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(_choice("unit", ("Đơn vị", "Unit")[at], "label_values(haidang_unit_info, unit)").multi(True))
    )
    if board.one_device:
        found = f"label_values(haidang_device_info{{{_UNIT}}}, device)"
        built.with_variable(_choice("device", ("Thiết bị", "Device")[at], found, every=False))
    numbers = count(1)
    for row in board.rows:
        built.with_row(build.Row(row.titles[at]).id(next(numbers)))
        for panel in row.panels:
            built.with_panel(_panel(panel, at).id(next(numbers)))
    return built.build()


def _choice(name: str, label: str, query: str, every: bool = True) -> build.QueryVariable:
    found = build.QueryVariable(name).label(label).datasource(_SOURCE).query(query)
    found = found.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    return found.include_all(True).all_value(".*") if every else found


def _panel(panel: Panel, at: int) -> stat.Panel | table.Panel | timeseries.Panel:
    query = Dataquery().expr(panel.expression).legend_format(panel.legend or "__auto").datasource(_SOURCE).ref_id("A")
    made: stat.Panel | table.Panel | timeseries.Panel
    if panel.kind == "lines":
        made = timeseries.Panel().with_target(query.range()).height(8)
        made = made.legend(common.VizLegendOptions().show_legend(True).placement(LegendPlacement.BOTTOM))
    elif panel.kind == "stat":
        made = stat.Panel().with_target(query.instant()).height(4)
        made = made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    else:
        made = table.Panel().with_target(query.instant().format(PromQueryFormat.TABLE)).height(8)
        made = made.with_transformation(_without("Time", "__name__")).show_header(True)
    return made.title(panel.titles[at]).datasource(_SOURCE).unit(panel.unit).span(panel.width)


def _without(*columns: str) -> model.DataTransformerConfig:
    return model.DataTransformerConfig(id_val="organize", options={"excludeByName": dict.fromkeys(columns, True)})


def files() -> Iterator[tuple[str, str]]:
    """File name and JSON of each dashboard."""
    languages: tuple[Literal["vi", "en"], ...] = ("vi", "en")
    for name, language in product(BOARDS, languages):
        text = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(dashboard(name, language))
        yield f"haidang-{name}-{language}.json", text + "\n"


def write_dashboards(directory: Path) -> list[Path]:
    """Write the dashboards as JSON that Grafana imports or provisions; gives the files. Raises WriteError."""
    return write_files(directory, dict(files()))
