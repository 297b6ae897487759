"""The clients that are run: what they are called, and the programs that are theirs."""

import dataclasses
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
ADBC = ["adbc_client.py", "adbc_metadata.py", "adbc_parameters.py", "adbc_sessions.py", "sandbox.py"]
PYARROW = ["pyarrow_client.py", "pyarrow_metadata.py", "pyarrow_sessions.py", "cancel.py"]


@dataclasses.dataclass(frozen=True)
class Client:
    """A client, the commands that run its programs, and whether they take long."""

    name: str
    # Its name in the matrix; none: its checks are in no column.
    title: str | None
    commands: list[list[str | pathlib.Path]]
    heavy: bool = False


def python(*scripts: str) -> list[list[str | pathlib.Path]]:
    return [[sys.executable, HERE / script] for script in scripts]


def program(folder: str, *arguments: str) -> list[list[str | pathlib.Path]]:
    return [[HERE / folder / "run", *arguments]]


def clients(rust_client: pathlib.Path | None) -> list[Client]:
    """All clients, in the order of the matrix. One without commands can't be run."""
    return [
        Client("adbc", "ADBC for Python", python(*ADBC)),
        Client("pyarrow", "pyarrow", python(*PYARROW)),
        Client("pandas", "pandas", python("pandas_client.py")),
        Client("polars", "Polars", python("polars_client.py")),
        Client("readers", None, python("readers.py")),
        Client("sqlalchemy", "flightsql-dbapi, SQLAlchemy", program("sqlalchemy")),
        Client("superset", "Apache Superset", program("superset"), heavy=True),
        Client("jdbc-18", "JDBC driver 18.3", program("java", "jdbc-18")),
        Client("adbc-java", "ADBC for Java", program("java", "adbc-java")),
        Client("sqlline", "sqlline, over JDBC", program("java", "sqlline")),
        Client("go", "ADBC for Go", program("go")),
        Client("lakehouse", "Node, lakehouse-rs", program("node", "lakehouse")),
        Client("lancedb", "Node, LanceDB", program("node", "lancedb")),
        Client("rust", "arrow-flight for Rust", [[rust_client]] if rust_client else []),
        Client("flight-sql-client", "flight_sql_client", program("flight_sql_client"), heavy=True),
    ]
