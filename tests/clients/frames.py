"""Data frames: pandas and Polars read a query through ADBC."""

import adbc_driver_flightsql.dbapi as flightsql
import pandas
import polars
from harness import Target, check, equal, main

SQL = "SELECT date, province, confirmed FROM health.provincial ORDER BY bulletin, province_code"


def connect(target: Target) -> flightsql.Connection:
    return flightsql.connect(
        target.uri, db_kwargs={"username": target.user, "password": target.password}, autocommit=True
    )


@check
def pandas_reads_a_query(target: Target) -> None:
    with connect(target) as connection:
        frame = pandas.read_sql(SQL, connection, dtype_backend="pyarrow")
    equal((len(frame), int(frame["confirmed"].count())), (641, 611))
    assert "浙江省" in set(frame["province"])


@check
def pandas_binds_parameters(target: Target) -> None:
    with connect(target) as connection:
        # pandas refuses `params` for ADBC connections itself; the cursor binds them.
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) AS n FROM paper.daily WHERE place = ?", ("湖北",))
            frame = cursor.fetch_df()
    equal(int(frame["n"].iloc[0]), 1289)


@check
def polars_reads_a_query(target: Target) -> None:
    with connect(target) as connection:
        frame = polars.read_database(SQL, connection)
    equal((frame.height, frame["confirmed"].count()), (641, 611))
    equal(frame.schema["date"], polars.Date)


@check
def polars_reads_in_batches(target: Target) -> None:
    with connect(target) as connection:
        batches = polars.read_database(
            "SELECT * FROM jhu.series", connection, iter_batches=True, batch_size=10000
        )
        equal(sum(batch.height for batch in batches), 101010)


if __name__ == "__main__":
    main()
