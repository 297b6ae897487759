"""Runs all client scripts against `basin demo` on a store of its own.

    python run.py --basin target/debug/basin

Exits with 1 when a check failed or the server didn't end well.
"""

import argparse
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).parent
SCRIPTS = ["adbc_client.py", "pyarrow_client.py", "frames.py", "sandbox.py", "readers.py", "cancel.py"]
PASSWORD = "clients need a password"


def ready(server: subprocess.Popen) -> str:
    """Waits for the line `ready ADDR`; gives ADDR."""
    printed = []
    for line in server.stdout:
        if line.startswith("ready "):
            threading.Thread(target=server.stdout.read, daemon=True).start()
            return line.removeprefix("ready ").strip()
        printed.append(line)
    sys.exit(f"the demo ended before it was ready:\n{''.join(printed)}")


def run_scripts(address: str, store: str, pid: int) -> tuple[int, int]:
    passed = failed = 0
    for script in SCRIPTS:
        print(f"-- {script}", flush=True)
        arguments = ["--address", address, "--user", "analyst", "--password", PASSWORD]
        arguments += ["--store", store, "--pid", str(pid)]
        ended = subprocess.run(
            [sys.executable, HERE / script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        print(ended.stdout, end="", flush=True)
        counts = re.search(r"^(\d+) passed, (\d+) failed$", ended.stdout, re.MULTILINE)
        if counts is None:
            failed += 1
        else:
            passed += int(counts[1])
            failed += int(counts[2])
    return passed, failed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--basin", required=True, help="the binary")
    basin = pathlib.Path(parser.parse_args().basin).resolve()
    with tempfile.TemporaryDirectory() as store, open(pathlib.Path(store) / "demo.log", "w", encoding="utf-8") as log:
        folder = str(pathlib.Path(store) / "store")
        server = subprocess.Popen(
            [basin, "--store", folder, "demo", "--listen", "127.0.0.1:0", "--password", PASSWORD],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
        )
        try:
            passed, failed = run_scripts(ready(server), folder, server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
            code = server.wait(timeout=60)
        if code != 0:
            print(f"the demo ended with {code}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
