"""flight_sql_client, the command line of the crate arrow-flight: a process a call, which prints a table."""

import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import Target, absent, check, equal, main  # noqa: E402

TOOL, VERSION = sys.argv[1:]
ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000000000) WHERE value % 7 = 9"


def command(target: Target, *arguments: str, password: str | None = None) -> list[str]:
    host, _, port = target.address.rpartition(":")
    user = ["--username", target.user, "--password", target.password if password is None else password]
    return [TOOL, "--host", host, "--port", port, *user, *arguments]


def run(words: list[str], **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(words, capture_output=True, text=True, encoding="utf-8", env=os.environ | environment, timeout=300)


def table(ended: subprocess.CompletedProcess) -> list[list[str]]:
    """The cells of the printed table, without its head."""
    assert ended.returncode == 0, ended.stderr
    lines = [line for line in ended.stdout.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def query(target: Target, sql: str) -> list[list[str]]:
    return table(run(command(target, "statement-query", sql)))


@check("connect")
def user_and_password(target: Target) -> None:
    equal(query(target, "SELECT 1"), [["1"]])


@check("connect")
def a_wrong_password_is_refused(target: Target) -> None:
    refused = run(command(target, "catalogs", password="wrong"))
    assert refused.returncode != 0 and "password is wrong" in refused.stderr, refused.stderr


@check("metadata")
def catalogs_schemas_and_tables(target: Target) -> None:
    equal(table(run(command(target, "catalogs"))), [["basin"]])
    equal(table(run(command(target, "db-schemas", "basin", "--db-schema-filter", "h%"))), [["basin", "health"]])
    found = table(run(command(target, "tables", "basin", "--db-schema-filter", "health")))
    equal([row[2] for row in found], ["city", "national", "provincial"])
    equal(table(run(command(target, "table-types"))), [["SYSTEM TABLE"], ["TABLE"], ["VIEW"]])


@check("query")
def figures_and_chinese_text(target: Target) -> None:
    equal(query(target, "SELECT count(*) FROM health.city"), [["5247"]])
    equal(query(target, "SELECT city FROM paper.daily WHERE date = DATE '2020-01-11'"), [["武汉市"]])


@check("parameters")
def text_number_and_date(target: Target) -> None:
    sql = "SELECT count(*) FROM health.city WHERE bulletin = $1 AND confirmed >= $2 AND date = $3"
    bound = ["-p", "$1=2020-01-23浙江省", "-p", "$2=6", "-p", "$3=2020-01-22"]
    by_hand = sql.replace("$1", "'2020-01-23浙江省'").replace("$2", "6").replace("$3", "DATE '2020-01-22'")
    equal(table(run(command(target, "prepared-statement-query", sql, *bound))), query(target, by_hand))


@check("large")
def three_million_rows(target: Target) -> None:
    words = command(target, "statement-query", "SELECT b.code FROM jhu.series a CROSS JOIN ref.province b")
    rows = total = 0
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, encoding="utf-8") as tool:
        for line in tool.stdout:
            if (cell := line.strip("| \n")).isdigit():
                rows, total = rows + 1, total + int(cell)
    [[expected]] = query(target, "SELECT 101010 * sum(CAST(code AS BIGINT)) FROM ref.province")
    equal((tool.returncode, rows, total), (0, 3_131_310, int(expected)))


@check("cancel")
def ending_the_tool_ends_its_query(target: Target) -> None:
    mark = f"{ENDLESS} AND 'tool {os.getpid()}' <> ''"
    audit = f"SELECT count(*) FROM basin.queries WHERE sql LIKE '%tool {os.getpid()}%<> ''''' AND outcome "
    tool = subprocess.Popen(command(target, "statement-query", mark), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # A second later it runs and is not only planned.
    time.sleep(1)
    until(target, audit + "IS NULL")
    tool.send_signal(signal.SIGTERM)
    tool.wait(10)
    until(target, audit + "= 'cancelled'")


def until(target: Target, sql: str) -> None:
    deadline = time.monotonic() + 30
    while query(target, sql) == [["0"]]:
        assert time.monotonic() < deadline, f"still none: {sql}"
        time.sleep(0.2)


@check("error")
def unknown_column_and_table(target: Target) -> None:
    for sql, says in [("SELECT confirmd FROM health.city", "confirmd"), ("SELECT * FROM health.village", "health.village")]:
        refused = run(command(target, "statement-query", sql))
        assert refused.returncode != 0 and says in refused.stderr, refused.stderr


@check("tls")
def the_authority_comes_from_the_environment(target: Target) -> None:
    host, _, port = target.tls_address.rpartition(":")
    words = [TOOL, "--tls", "--host", host, "--port", port, "--username", target.user, "--password", target.password]
    words += ["statement-query", "SELECT 1"]
    equal(table(run(words, SSL_CERT_FILE=str(target.ca))), [["1"]])
    assert run(words).returncode != 0, "a server of an unknown authority was trusted"


if __name__ == "__main__":
    absent("info", "it has no command for GetSqlInfo")
    absent("types", "it prints tables for people: a printed value doesn't tell its type")
    absent("nulls", "it prints tables for people: NULL and an empty text look alike")
    absent("tls", "it has no option for a client's certificate")
    main(f"arrow-flight {VERSION}")
