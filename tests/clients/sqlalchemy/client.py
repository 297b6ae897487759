"""flightsql-dbapi: its DB-API, its FlightSQLClient and its SQLAlchemy dialect against served stores."""

import dbapi_checks  # noqa: F401  importing registers its checks
import dialect_checks  # noqa: F401
import flightsql
import metadata_checks  # noqa: F401
import parameter_checks  # noqa: F401
import pyarrow
import report
import sqlalchemy
import tls_checks  # noqa: F401
import type_checks  # noqa: F401

if __name__ == "__main__":
    report.main(
        f"flightsql-dbapi {flightsql.__version__}, SQLAlchemy {sqlalchemy.__version__}, pyarrow {pyarrow.__version__}"
    )
