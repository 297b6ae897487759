// @lakehouse-rs/flight-sql-client: a native module; each call gives a whole result as one Arrow file.

import lakehouse from "@lakehouse-rs/flight-sql-client";
import { tableFromIPC } from "apache-arrow";
import { canonical } from "./canonical.mjs";
import { equal, fails, inTime } from "./expect.mjs";

export const NAME = "lakehouse";
export const PACKAGE = "@lakehouse-rs/flight-sql-client";

export const ABSENT = [
  ["connect", "lakehouse: with a wrong password the native module panics and the call never ends; a wrong token is refused"],
  ["info", "lakehouse: no call for GetSqlInfo"],
  ["metadata", "lakehouse: no calls for table types and keys"],
  ["parameters", "lakehouse: query prepares its text and has nothing to bind"],
  ["cancel", "lakehouse: no call ends a query, and its result comes only whole: only the program's end stops it"],
  ["error", "lakehouse: errors say which step failed and not why; when a query fails while rows arrive, the call never ends"],
  ["tls", "lakehouse: no option for an authority's certificate, and the native module trusts none: every server is refused"],
];

/** What an error says, whatever the server said. */
export const errorSays = () => "failed to prepare statement";

/** Calls that fail inside the native module may never end. */
const LIMIT_SECONDS = 30;

export function connect({ address, user, password }) {
  return open(address, { username: user, password });
}

function open(address, credentials) {
  const [host, port] = address.split(":");
  return lakehouse.createFlightSqlClient({ host, port: Number(port), tls: false, headers: [], ...credentials });
}

const table = async (call) => tableFromIPC(await inTime(call, LIMIT_SECONDS));

export async function* batches(session, sql) {
  yield* (await table(session.query(sql))).batches;
}

export const rows = (session, sql) => rowsOf(session.query(sql));

async function rowsOf(call) {
  const found = [];
  for (const batch of (await table(call)).batches) {
    for (let i = 0; i < batch.numRows; i++) {
      found.push(batch.data.children.map((column) => canonical(column, i)));
    }
  }
  return found;
}

export async function columns(session, sql) {
  return (await table(session.query(sql))).schema.fields.map(({ name }) => name);
}

export const checks = [
  {
    column: "connect",
    name: "user and password in a header of each call",
    run: async ({ address, user, password }) => {
      const value = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
      const session = await open(address, { headers: [{ key: "authorization", value }] });
      equal(await rows(session, "SELECT count(*) FROM health.city"), [["5247"]]);
    },
  },
  {
    column: "connect",
    name: "a wrong token is refused",
    run: async ({ address }) => {
      const session = await open(address, { token: "wrong" });
      await fails(rows(session, "SELECT 1"), errorSays());
    },
  },
  {
    column: "-",
    name: "a schema in a header of each call",
    run: async ({ address, user, password }) => {
      const headers = [{ key: "x-basin-schema", value: "health" }];
      const session = await open(address, { username: user, password, headers });
      equal(await rows(session, "SELECT count(*) FROM city"), [["5247"]]);
    },
  },
  {
    column: "metadata",
    name: "catalogs",
    run: async (servers) => equal(await rowsOf((await connect(servers)).getCatalogs()), [["basin"]]),
  },
  {
    column: "metadata",
    name: "schemas",
    run: async (servers) => {
      const session = await connect(servers);
      const names = new Set((await rowsOf(session.getDbSchemas({}))).map(([, name]) => name));
      for (const name of ["ref", "health", "paper", "jhu", "basin", "information_schema"]) {
        equal(names.has(name), true, name);
      }
      const filter = { catalog: "basin", dbSchemaFilterPattern: "r_f" };
      equal(await rowsOf(session.getDbSchemas(filter)), [["basin", "ref"]]);
    },
  },
  {
    column: "metadata",
    name: "tables by patterns and types",
    run: async (servers) => {
      const session = await connect(servers);
      equal(await rowsOf(session.getTables({ dbSchemaFilterPattern: "health" })), [
        ["basin", "health", "city", "TABLE"],
        ["basin", "health", "national", "TABLE"],
        ["basin", "health", "provincial", "TABLE"],
      ]);
      const filter = { dbSchemaFilterPattern: "r_f", tableNameFilterPattern: "c%", tableTypes: ["TABLE"] };
      const names = (await rowsOf(session.getTables(filter))).map(([, , name]) => name);
      equal(names, ["city", "county"]);
      const systems = (await rowsOf(session.getTables({ tableTypes: ["SYSTEM TABLE"] }))).map(([, schema]) => schema);
      equal([...new Set(systems)].sort(), ["basin", "information_schema"]);
    },
  },
  {
    column: "metadata",
    name: "columns of a table",
    run: async (servers) => {
      const filter = { dbSchemaFilterPattern: "paper", tableNameFilterPattern: "daily", includeSchema: true };
      const found = await table((await connect(servers)).getTables(filter));
      const { schema } = tableFromIPC(found.get(0).table_schema);
      const field = (name) => schema.fields.find((one) => one.name === name);
      equal(String(field("date").type), "Date32<DAY>");
      equal(String(field("place").type), "Utf8");
      equal(field("place").nullable, false);
      equal(String(field("new_confirmed").type), "Int64");
      equal(field("date").metadata.get("ARROW:FLIGHT:SQL:TYPE_NAME"), "DATE");
    },
  },
];
