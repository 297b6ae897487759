"""The command line of the suites."""

import argparse
import importlib
import os
import pathlib
import sys

SUITES = ["tpch", "small", "stream", "dashboards", "growth", "clickbench", "tpcds", "rollups", "compare"]
HERE = pathlib.Path(__file__).resolve().parent.parent


def program() -> pathlib.Path:
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")) / "dist" / "basin"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benches/run", description=__doc__)
    commands = parser.add_subparsers(dest="suite", required=True)
    for name in SUITES:
        module = importlib.import_module(f"suites.{name}")
        command = commands.add_parser(name, help=module.__doc__.splitlines()[0], description=module.__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
        command.set_defaults(run=module.run)
        command.add_argument("--results", type=pathlib.Path, default=HERE / "results", help="where results are kept")
        if name != "compare":
            command.add_argument("--basin", type=pathlib.Path, default=program(),
                                 help="the program [default: that of `cargo build --workspace --profile dist`]")
            command.add_argument("--data", type=pathlib.Path, default=HERE.parent / "target" / "bench-data",
                                 help="where stores are made, once, and kept")
        module.options(command)
    arguments = parser.parse_args()
    if arguments.suite != "compare" and not arguments.basin.exists():
        sys.exit(f"there is no {arguments.basin}: build it (cargo build --workspace --profile dist) or name it with --basin")
    arguments.run(arguments)


if __name__ == "__main__":
    main()
