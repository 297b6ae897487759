"""Some of the clients of a dashboard, in a process of their own: threads that ask a mix of queries again and again until told to stop.

    python -m suites.dashboard_client JSON

Started by `dashboards.py`, which sends a line when all are connected. Prints the times of each query.
"""

import json
import random
import sys
import threading
import time

import adbc_driver_flightsql.dbapi as flightsql


def drive(setting, number, start, found) -> None:
    connection = flightsql.connect(setting["uri"], db_kwargs=setting["options"], autocommit=True)
    names = list(setting["queries"])
    order = random.Random(setting["seed"] + number)
    times = {name: [] for name in names}
    start.wait()
    until = time.perf_counter() + setting["seconds"]
    try:
        while time.perf_counter() < until:
            order.shuffle(names)
            for name in names:
                if (started := time.perf_counter()) >= until:
                    break
                with connection.cursor() as cursor:
                    cursor.execute(setting["queries"][name])
                    rows = cursor.fetch_arrow_table().num_rows
                times[name].append(time.perf_counter() - started)
                if rows != setting["rows"][name]:
                    raise RuntimeError(f"{name}: {rows} rows, not {setting['rows'][name]}")
        found[number] = times
    finally:
        connection.close()


def main() -> None:
    setting = json.loads(sys.argv[1])
    start, found = threading.Barrier(setting["clients"] + 1), {}
    threads = [threading.Thread(target=drive, args=(setting, setting["first"] + number, start, found))
               for number in range(setting["clients"])]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.readline()
    start.wait(60)
    for thread in threads:
        thread.join()
    if len(found) < setting["clients"]:
        sys.exit("a client failed")
    print(json.dumps(list(found.values())), flush=True)


if __name__ == "__main__":
    main()
