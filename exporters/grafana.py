"""The Grafana dashboard of a province, in Vietnamese and English, built with grafana-foundation-sdk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import LegendPlacement
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .errors import WriteError

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


def _max(metric: str, *labels: str) -> str:
    return f"max by ({', '.join(('device', *labels))}) ({metric})"


_SPEED = _max("haidang_interface_speed_bytes_per_second", "interface")
_LIMIT = _max("haidang_interface_speed_limit_bytes_per_second", "interface")
_PORT_UP = f"and on (device, interface) ({_max('haidang_interface_up', 'interface')} == 1)"
_USED = (
    f"{_max('haidang_storage_used_bytes', 'storage')} / ({_max('haidang_storage_size_bytes', 'storage')} > 0) "
    f"or {_max('haidang_storage_used_ratio', 'storage')}"
)


def _traffic(direction: str) -> str:
    rate = f"8 * rate(haidang_interface_{direction}_bytes_total[$__rate_interval])"
    return f"topk(10, sum by (unit) (({_max(rate, 'interface')}) {_LIVE}))"


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
              f"(8 * {_SPEED} > 0 < 8 * {_LIMIT} {_PORT_UP}) {_LIVE}", unit="bps"),
        Panel(("Ổ đĩa đầy nhất", "Fullest volumes"), "table", f"topk(20, ({_USED}) {_LIVE})", unit="percentunit"),
        Panel(("Bộ xử lý bận nhất", "Busiest processors"), "table",
              f"topk(20, avg by (device) (haidang_processor_load_ratio) {_LIVE})", unit="percentunit"),
        Panel(("Bộ nhớ đầy nhất", "Fullest memories"), "table",
              f"topk(20, ({_max('haidang_memory_used_bytes', 'memory')} / ({_max('haidang_memory_size_bytes', 'memory')} > 0) "
              f"or {_max('haidang_memory_used_ratio', 'memory')}) {_LIVE})", unit="percentunit"),
        Panel(("Ắc quy UPS", "UPS batteries"), "table", f"sort({_max('haidang_sensor_charge_ratio', 'sensor')} {_LIVE})",
              unit="percentunit"),
        Panel(("Vật tư máy in sắp hết", "Printer supplies running out"), "table",
              f"({_max('haidang_supply_level_ratio', 'supply', 'kind')} < 0.2) {_LIVE}", unit="percentunit"),
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


def expressions() -> dict[str, str]:
    """English panel title -> PromQL, for all units, with Grafana's variables replaced."""
    return {
        f"{row.titles[1]}: {panel.titles[1]}": panel.expression.replace("$unit", ".*").replace("$__rate_interval", "5m")
        for row in ROWS
        for panel in row.panels
    }


_SOURCE = model.DataSourceRef(type_val="prometheus", uid="${source}")


def dashboard(language: Literal["vi", "en"]) -> model.Dashboard:
    """The province's overview."""
    at = ("vi", "en").index(language)
    built = (
        build.Dashboard(("Hải Đăng: toàn tỉnh", "Hải Đăng: the province")[at])
        .uid(f"haidang-province-{language}")
        .tags(["haidang"])
        .timezone("Asia/Ho_Chi_Minh")
        .refresh("1m")
        .time("now-6h", "now")
        .with_variable(build.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(
            build.QueryVariable("unit")
            .label(("Đơn vị", "Unit")[at])
            .datasource(_SOURCE)
            .query("label_values(haidang_unit_info, unit)")
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    )
    numbers = count(1)
    for row in ROWS:
        built.with_row(build.Row(row.titles[at]).id(next(numbers)))
        for panel in row.panels:
            built.with_panel(_panel(panel, at).id(next(numbers)))
    return built.build()


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
    for language in languages:
        text = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(dashboard(language))
        yield f"haidang-province-{language}.json", text + "\n"


def write_dashboards(directory: Path) -> list[Path]:
    """Write the dashboards as JSON that Grafana imports or provisions; gives the files. Raises WriteError."""
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files():
            (directory / name).write_text(text, encoding="utf-8")
            written.append(directory / name)
    except OSError as error:
        raise WriteError(f"cannot write into {directory}: {error.strerror or error}") from error
    return written
