"""A plain Flight server of pyarrow (Arrow's C++ one): one table, no SQL. Started by the suites; prints `ready PORT`.

A ticket is `COLUMNS;PART/PARTS` with the columns separated by commas, empty for all. GetFlightInfo gives a ticket for one row
for any statement, so that a Flight SQL client can be timed on it.
"""

import argparse

import pyarrow as pa
import pyarrow.dataset as dataset
import pyarrow.flight as flight

ONE = pa.table({"one": pa.array([1], pa.int64())})
#: Messages of some megabytes: smaller ones cost it throughput.
BATCH_ROWS = 32_768


class Plain(flight.FlightServerBase):
    def __init__(self, files, memory, **more):
        super().__init__("grpc+tls://localhost:0" if "tls_certificates" in more else "grpc+tcp://localhost:0", **more)
        self.source = dataset.dataset(files, format="parquet") if files else dataset.dataset(ONE)
        self.table = self.source.to_table() if memory and files else None

    def get_flight_info(self, context, descriptor):
        if b"CommandStatementQuery" not in (descriptor.command or b""):
            raise NotImplementedError("this server knows statements only")
        ticket = flight.FlightEndpoint(flight.Ticket(b"one"), [])
        return flight.FlightInfo(ONE.schema, descriptor, [ticket], -1, -1)

    def do_get(self, context, ticket):
        if ticket.ticket == b"one":
            return flight.RecordBatchStream(ONE)
        names, _, share = ticket.ticket.decode().partition(";")
        part, parts = map(int, share.split("/"))
        columns = names.split(",") if names else self.source.schema.names
        if self.table is None:
            scanner = self.source.scanner(columns=columns, batch_size=BATCH_ROWS)
            return flight.RecordBatchStream(scanner.to_reader())
        rows = -(-self.table.num_rows // parts)
        table = self.table.select(columns).slice(part * rows, rows)
        return flight.RecordBatchStream(pa.RecordBatchReader.from_batches(table.schema, table.to_batches(BATCH_ROWS)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--memory", action="store_true")
    how.add_argument("--files", action="store_false", dest="memory")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("parquet", nargs="*")
    options = parser.parse_args()
    more = {}
    if options.certificate:
        with open(options.certificate, "rb") as certificate, open(options.key, "rb") as key:
            more["tls_certificates"] = [(certificate.read(), key.read())]
    server = Plain(options.parquet, options.memory, **more)
    print(f"ready {server.port}", flush=True)
    server.serve()


if __name__ == "__main__":
    main()
