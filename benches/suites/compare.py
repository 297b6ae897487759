"""Writes what the results say into docs/performance.md, between its markers, and a plot of each TPC-H run beside it."""

import importlib
import json
import pathlib

from .tpch import names_of, ratios

BEGIN, END = "<!-- suites -->", "<!-- /suites -->"
COLOURS = ["#3b6ea5", "#c7772e", "#5b8c5a", "#8a5a9e", "#a33b4d"]
ROW, BAR, LEFT, WIDTH = 16, 11, 60, 640


def options(parser):
    docs = pathlib.Path(__file__).resolve().parent.parent.parent / "docs"
    parser.add_argument("--docs", type=pathlib.Path, default=docs, help="the folder with performance.md [default: docs]")


def run(arguments):
    parts = []
    for file in sorted(arguments.results.glob("*.json")):
        result = json.loads(file.read_text())
        suite = importlib.import_module(f"suites.{result['suite']}")
        parts.append(section(file.stem, result, suite.text(result)))
        if "reference" in result and "queries" in result:
            plot = arguments.docs / f"performance-{file.stem}.svg"
            plot.write_text(bars(result))
            parts.append(f"![{file.stem}: time of each query as a ratio]({plot.name})")
    if not parts:
        raise SystemExit(f"there are no results in {arguments.results}: run a suite first (benches/run tpch)")
    page = arguments.docs / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest:
        raise SystemExit(f"{page} has no {BEGIN}")
    page.write_text(before + BEGIN + "\n" + "\n\n".join(parts) + "\n" + END + after)


def section(name, result, text) -> str:
    machine, versions = result["machine"], ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return f"### {name}\n`{result['command']}`; {machine['cores']} cores, {machine['architecture']}, {result['date']}; {versions}; profile {result['profile']}.\n\n{text}"


def bars(result) -> str:
    """Bars of each query, one for each system but the reference, whose time is the line at 1."""
    others = [name for name in names_of(result) if name != result["reference"]]
    found = {name: ratios(result, name) for name in others}
    most = max([1.0, *(min(ratio, 6.0) for by_query in found.values() for ratio in by_query.values())])
    scale = (WIDTH - LEFT - 60) / most
    lines, y = [], 30
    for index, name in enumerate(others):
        lines.append(f'<text x="{LEFT + index * 130}" y="14" fill="{COLOURS[index % len(COLOURS)]}">{name}</text>')
    top = y
    for query in result["queries"]:
        lines.append(f'<text x="4" y="{y + BAR - 2}">{query["query"]}</text>')
        for index, name in enumerate(others):
            ratio = found[name].get(query["query"])
            if ratio is not None:
                colour = COLOURS[index % len(COLOURS)]
                lines.append(f'<rect x="{LEFT}" y="{y}" width="{min(ratio, most) * scale:.1f}" height="{BAR}" fill="{colour}"/>')
                lines.append(f'<text x="{LEFT + min(ratio, most) * scale + 4:.1f}" y="{y + BAR - 2}">{ratio:.2f}</text>')
            y += ROW
        y += 4
    one = LEFT + scale
    lines.append(f'<line x1="{one:.1f}" y1="{top - 4}" x2="{one:.1f}" y2="{y}" stroke="#333" stroke-dasharray="4 3"/>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 6}" font-family="sans-serif" font-size="11">'
            + "".join(lines) + "</svg>\n")
