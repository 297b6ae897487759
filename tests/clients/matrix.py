"""The conformance matrix: docs/conformance.md, read and written.

Reading gives back what was written, so that a run of some clients keeps the rows of the others.
"""

import dataclasses
import re

COLUMNS = ["connect", "info", "metadata", "query", "parameters", "types", "nulls", "large", "cancel", "error", "tls"]
GREEN, RED = "✓", "✗"

HEAD = f"""\
# Conformance

Real clients are run against a served store; here is what of Flight SQL works with each. `tests/run clients`
writes this file, and [tests/clients](../tests/clients/README.md) says what each column asks for. {GREEN}: all its checks passed.
A number: what the client itself can't do, as the note below says. Both: everything but that works.
"""
COMMANDS = """
## Commands
What the clients sent, as the servers' log has it. A run in which a call is answered with Unimplemented fails.
"""


@dataclasses.dataclass
class Row:
    """What is known of a client."""

    version: str = ""
    # For each column GREEN, RED or nothing, and the reasons for what isn't there.
    marks: dict[str, str] = dataclasses.field(default_factory=dict)
    reasons: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    # Commands by method.
    commands: dict[str, list[str]] = dataclasses.field(default_factory=dict)


def write(rows: dict[str, Row]) -> str:
    notes: list[str] = []
    lines = [HEAD, table_line("client", "version", *COLUMNS), table_line(*["---"] * (2 + len(COLUMNS)))]
    for client, row in rows.items():
        lines.append(table_line(client, row.version, *(cell(row, column, notes) for column in COLUMNS)))
    lines += ["", *(f"{number}. {note}" for number, note in enumerate(notes, 1)), COMMANDS]
    lines += [table_line("client", "method", "commands"), table_line("---", "---", "---")]
    for client, row in rows.items():
        for method, commands in sorted(row.commands.items()):
            lines.append(table_line(client, method, ", ".join(sorted(commands))))
    return "\n".join(lines) + "\n"


def table_line(*cells: str) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"


def cell(row: Row, column: str, notes: list[str]) -> str:
    """A column's mark and the numbers of its notes; new notes are added."""
    numbers = []
    for reason in row.reasons.get(column, []):
        if reason not in notes:
            notes.append(reason)
        numbers.append(str(notes.index(reason) + 1))
    return " ".join([row.marks.get(column, ""), ", ".join(numbers)]).strip()


def read(text: str) -> dict[str, Row]:
    """Gives what `write` was given."""
    notes = {number: note for number, note in re.findall(r"^(\d+)\. (.+)$", text, re.MULTILINE)}
    rows: dict[str, Row] = {}
    for line in re.findall(r"^\| (.+) \|$", text, re.MULTILINE):
        # An empty cell leaves two blanks between its bars.
        cells = [part.strip().replace("\\|", "|") for part in re.split(r" ?(?<!\\)\| ?", line)]
        if cells[0] in ("client", "---"):
            continue
        row = rows.setdefault(cells[0], Row())
        if len(cells) == 3:
            row.commands[cells[1]] = cells[2].split(", ")
            continue
        row.version = cells[1]
        for column, found in zip(COLUMNS, cells[2:], strict=True):
            mark, numbers = re.fullmatch(f"([{GREEN}{RED}]?) ?([0-9, ]*)", found).groups()
            row.marks[column] = mark
            row.reasons[column] = [notes[number] for number in re.findall(r"\d+", numbers)]
    return rows
