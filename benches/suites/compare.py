"""Writes what the results say into docs/performance.md, between its markers, and the plots as SVG beside it.

Every JSON file of the folder of results becomes a section with its command, versions and machine. Sections whose result is absent stay
out; what stands outside the markers is never touched.
"""

import importlib
import json
import pathlib
import statistics
import sys

from suites.tpch import names_of, ratios

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARKS = ("<!-- suites -->", "<!-- /suites -->")
ORDER = ["tpch", "clickbench", "small", "stream", "dashboards", "growth"]


def options(parser) -> None:
    parser.add_argument("--write", type=pathlib.Path, default=ROOT / "docs/performance.md", help="the document")


def run(arguments) -> None:
    results = [(file.stem, json.loads(file.read_text())) for file in sorted(arguments.results.glob("*.json"))]
    if not results:
        sys.exit(f"there is no result in {arguments.results}: run a suite first")
    document = arguments.write.read_text(encoding="utf-8")
    if not all(document.count(mark) == 1 for mark in MARKS):
        sys.exit(f"{arguments.write} must have one {MARKS[0]} and one {MARKS[1]}")
    results.sort(key=lambda pair: (ORDER.index(pair[1]["suite"]), pair[0]))
    plots = arguments.write.parent / "plots"
    sections = [section(name, result, plots) for name, result in results]
    before, rest = document.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    arguments.write.write_text(f"{before}{MARKS[0]}\n" + "\n\n".join(sections) + f"\n{MARKS[1]}{after}", encoding="utf-8")
    print(f"{len(sections)} sections in {arguments.write}", file=sys.stderr)


def section(name: str, result: dict, plots: pathlib.Path) -> str:
    module = importlib.import_module(f"suites.{result['suite']}")
    title = module.__doc__.splitlines()[0].rstrip(".")
    machine = result["machine"]
    versions = ", ".join(f"{what} {version}" for what, version in result["versions"].items())
    cache = {True: "; result cache on", False: "; result cache off"}.get(result.get("result_cache"), "")
    lines = [f"### {name}", f"{title}.", "",
             f"`{result['command']}`; {machine['cores']} cores, {machine['architecture']}, {result['date']}{cache}. {versions}.", "",
             module.text(result)]
    if draw := PLOTS.get(result["suite"]):
        plots.mkdir(exist_ok=True)
        draw(result, plots / f"{name}.svg")
        lines += ["", f"![{name}](plots/{name}.svg)"]
    return "\n".join(lines)


def figure(width: float, height: float):
    import matplotlib

    matplotlib.use("svg")
    # The same result gives the same file, byte for byte; text stays text.
    matplotlib.rcParams |= {"svg.hashsalt": "basin", "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False}
    import matplotlib.pyplot as pyplot

    return pyplot.subplots(figsize=(width, height), layout="constrained")


def keep(plot, file: pathlib.Path) -> None:
    import matplotlib.pyplot as pyplot

    plot.savefig(file, metadata={"Date": None, "Creator": None})
    pyplot.close(plot)


def by_query(result: dict, file: pathlib.Path) -> None:
    """Each system's ratio to the reference, query by query, on a logarithmic scale."""
    others = [name for name in names_of(result) if name != result["reference"]]
    queries = [query["query"] for query in result["queries"]]
    plot, axes = figure(max(8, len(queries) * 0.45), 3.6)
    width = 0.8 / max(1, len(others))
    for number, name in enumerate(others):
        found = ratios(result, name)
        at = [index + (number - (len(others) - 1) / 2) * width for index, query in enumerate(queries) if query in found]
        axes.bar(at, [found[query] - 1 for query in queries if query in found], width, bottom=1, label=name)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_yscale("log", base=2)
    axes.set_yticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
    axes.set_xticks(range(len(queries)), queries, fontsize=8)
    axes.set_ylabel(f"time / {result['reference']}'s")
    axes.legend(frameon=False, ncols=len(others))
    keep(plot, file)


def bars(values: dict[str, dict[str, float]], unit: str, file: pathlib.Path, logarithmic: bool = False) -> None:
    """Groups of horizontal bars: values by group and system."""
    systems = list(dict.fromkeys(name for group in values.values() for name in group))
    plot, axes = figure(8, 0.8 + 0.22 * sum(map(len, values.values())) + 0.15 * len(values))
    colors = {name: f"C{number}" for number, name in enumerate(systems)}
    at, ticks, drawn = 0.0, {}, set()
    for group, of_group in values.items():
        ticks[group] = at + (len(of_group) - 1) / 2
        for name, value in of_group.items():
            axes.barh(at, value, 0.9, color=colors[name], label=None if name in drawn else name)
            axes.annotate(f" {value:.3g}", (value, at), va="center", fontsize=7)
            drawn.add(name)
            at += 1
        at += 0.7
    axes.set_yticks(list(ticks.values()), list(ticks))
    axes.invert_yaxis()
    if logarithmic:
        axes.set_xscale("log")
    axes.set_xlabel(unit)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(systems))
    keep(plot, file)


def small(result, file) -> None:
    bars({case: {name: times["p50"] for name, times in systems.items()} for case, systems in result["cases"].items()}, "p50, ms", file)


def stream(result, file) -> None:
    from suites.stream import rate

    bars({case: {name: rate(one) for name, one in systems.items()} for case, systems in result["cases"].items()}, "GB/s", file)


def dashboards(result, file) -> None:
    rates = {name: statistics.median(one["queries_per_second"] for one in rounds) for name, rounds in result["systems"].items() if rounds}
    bars({"queries/s": rates}, f"queries/s, {result['clients']} clients", file, logarithmic=True)


PLOTS = {"tpch": by_query, "clickbench": by_query, "small": small, "stream": stream, "dashboards": dashboards}
