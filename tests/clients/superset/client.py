"""Apache Superset, headless: its pages' REST API on a real server, with flightsql-dbapi as the driver."""

import importlib.metadata
import os
import signal
import sys

import chart_checks  # noqa: F401  importing registers its checks
import database_checks  # noqa: F401
import report
import schema_checks  # noqa: F401
import shown_checks  # noqa: F401
import sql_lab_checks  # noqa: F401
import stage
import superset_server

VERSION = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ["apache-superset", "flightsql-dbapi"])

report.absent(
    "metadata",
    "it shows no primary key: Database.get_pk_constraint keeps what its JSON converter knows, which are neither texts nor lists",
)
report.absent(
    "info", "Superset shows no name or version of a server; its driver asks for them: see the SQLAlchemy client"
)
report.absent(
    "parameters",
    "Superset binds nothing: it writes values into the statement (BaseEngineSpec.execute, Jinja templates)",
)
report.absent(
    "cancel",
    "its generic engine specification has no cancel: BaseEngineSpec.get_cancel_query_id gives None, cancel_query False",
)

if __name__ == "__main__":
    # Ended from outside, it still ends the server it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with (
        superset_server.new_site() as site,
        superset_server.serving(site, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=os.environ["BASIN_CA"]) as address,
    ):
        stage.open_stage(site, address)
        report.main(VERSION)
