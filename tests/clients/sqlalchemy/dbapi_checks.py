"""The DB-API of flightsql-dbapi and the calls of its FlightSQLClient."""

import contextlib
import math
import threading
import time

import flightsql
import pyarrow
import pyarrow.flight
import target
from report import check, detail, equal


@check("connect")
def user_and_password_become_a_bearer_token() -> None:
    with contextlib.closing(target.client()) as opened:
        [(name, value)] = opened.headers
        equal(name, b"authorization")
        assert value.startswith(b"Bearer "), value[:10]
        token = value.removeprefix(b"Bearer ").decode()
    equal(target.rows("SELECT count(*) FROM health.city"), [[5247]])
    equal(target.rows("SELECT count(*) FROM health.city", user=None, password=None, token=token), [[5247]])


@check("connect")
def wrong_credentials_are_refused() -> None:
    for wrong in [{"password": "wrong"}, {"user": "nobody"}, {"user": None, "password": None, "token": "wrong"}]:
        try:
            target.rows("SELECT 1", **wrong)
        except pyarrow.flight.FlightUnauthenticatedError:
            continue
        raise AssertionError(f"{wrong} was accepted")


@check("info")
def the_server_has_a_name_and_a_version() -> None:
    with target.connected() as connection:
        info = connection.flightsql_get_sql_info([0, 1, 2, 3, 504])
        equal((info[0], info[3], info[504]), ("Basin", False, '"'))
        assert info[1] and info[2], info
        everything = connection.flightsql_get_sql_info([])
        assert len(everything) > 80 and info.items() <= everything.items(), everything


@check("query")
def figures_of_the_pack() -> None:
    equal(target.rows("SELECT count(*) FROM health.city"), [[5247]])
    equal(target.rows("SELECT count(*) FROM jhu.series"), [[101010]])
    equal(target.rows("SELECT name FROM ref.province WHERE code = '33'"), [["浙江省"]])
    equal(target.rows("SELECT code, name FROM ref.province WHERE false"), [])


@check("query")
def rows_are_fetched_one_by_one_and_in_parts() -> None:
    with target.connected() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT code, name FROM ref.province ORDER BY code")
        equal([name for name, _ in cursor.description], ["code", "name"])
        equal(cursor.rowcount, 31)
        equal(cursor.fetchone(), ["11", "北京市"])
        equal([code for code, _ in cursor.fetchmany(2)], ["12", "13"])
        equal(len(cursor.fetchall()), 28)
        equal(cursor.fetchone(), None)


@check("-")
def statements_change_the_sandbox_once() -> None:
    with target.connected() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE sa_once (n BIGINT NOT NULL, place VARCHAR)")
        for n in range(10):
            cursor.execute(f"INSERT INTO sa_once VALUES ({n}, '第{n}')")
        equal(connection.client.execute_update("UPDATE sa_once SET place = '浙' WHERE n < 3"), 3)
        cursor.execute(f"SELECT n, place FROM {target.SANDBOX}.sa_once ORDER BY n")
        equal(cursor.fetchall(), [[n, "浙" if n < 3 else f"第{n}"] for n in range(10)])
        cursor.execute("DROP TABLE sa_once")


@check("large")
def three_million_rows_arrive() -> None:
    found = target.rows("SELECT a.confirmed FROM jhu.series a CROSS JOIN ref.province b")
    equal(len(found), 3_131_310)
    [[total]] = target.rows("SELECT sum(confirmed) FROM jhu.series")
    # NULL comes as None in a column of integers.
    equal(sum(value for (value,) in found if value is not None and not math.isnan(value)), total * 31)


@check("cancel")
def a_stream_is_cancelled() -> None:
    """The DB-API has no cancel; what the client's do_get returns has one."""
    with contextlib.closing(target.client()) as opened:
        stream = opened.do_get(opened.execute(target.SLOW).endpoints[0].ticket)
        timer = threading.Timer(1.0, stream.cancel)
        timer.start()
        started = time.monotonic()
        try:
            # Not read_all: pyarrow takes its being cancelled for the user's Ctrl-C.
            stream.read_chunk()
        except pyarrow.flight.FlightCancelledError:
            pass
        else:
            raise AssertionError("the query ended before it was cancelled")
        finally:
            timer.cancel()
        assert time.monotonic() - started < 10, "cancelling took too long"
        equal(target.read(opened, opened.execute("SELECT 1 AS one")), [{"one": 1}])


@check("cancel")
def a_time_limit_ends_a_query() -> None:
    with contextlib.closing(target.client()) as opened:
        limit = flightsql.FlightSQLCallOptions(timeout=2.0)
        started = time.monotonic()
        try:
            opened.do_get(opened.execute(target.SLOW).endpoints[0].ticket, limit).read_all()
        except pyarrow.flight.FlightTimedOutError:
            pass
        else:
            raise AssertionError("the query ended before its time")
        assert time.monotonic() - started < 10, "the time limit was not kept"
        equal(target.read(opened, opened.execute("SELECT 1 AS one")), [{"one": 1}])


@check("error")
def errors_say_what_is_wrong() -> None:
    cases = [
        ("SELECT confirmed_on FROM health.city", pyarrow.ArrowInvalid, "confirmed_on"),
        ("SELECT * FROM health.village", KeyError, "health.village"),
        ("SELECT (1", pyarrow.ArrowInvalid, "Expected: )"),
        ("DELETE FROM health.city", Exception, target.SANDBOX),
    ]
    for sql, kind, says in cases:
        try:
            target.rows(sql)
        except kind as error:
            assert says in str(error), error
        else:
            raise AssertionError(f"{sql} was run")
    detail("the client raises pyarrow's errors, not those of its own flightsql.exceptions")
