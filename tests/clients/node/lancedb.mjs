// @lancedb/arrow-flight-sql-client: queries as a stream of Arrow batches, over plaintext.

import { Client } from "@lancedb/arrow-flight-sql-client";
import { canonical } from "./canonical.mjs";
import { equal, fails } from "./expect.mjs";

export const NAME = "lancedb";
export const PACKAGE = "@lancedb/arrow-flight-sql-client";

export const ABSENT = [
  ["info", "lancedb: its one call is query; none for GetSqlInfo"],
  ["metadata", "lancedb: its one call is query; none for catalogs, tables or keys (information_schema answers in SQL)"],
  ["parameters", "lancedb: query takes only a text; nothing is prepared or bound (Query.values in its types is used by nothing)"],
  ["cancel", "lancedb: no call ends a query, and leaving its rows early goes on buffering them: only the program's end stops it"],
  ["tls", "lancedb: it always dials in plaintext; the option insecure is read by nothing"],
];

/** What an error says when the server said that. */
export const errorSays = (said) => said;

export const connect = ({ address, user, password }) => Client.connect({ host: address, username: user, password, insecure: true });

export async function* batches(session, sql) {
  yield* (await session.query(sql)).toArrowStream();
}

export async function rows(session, sql) {
  const found = [];
  for await (const batch of batches(session, sql)) {
    for (let i = 0; i < batch.numRows; i++) {
      found.push(batch.data.children.map((column) => canonical(column, i)));
    }
  }
  return found;
}

export async function columns(session, sql) {
  const [batch] = await (await session.query(sql)).collectToArrow();
  return batch.schema.fields.map(({ name }) => name);
}

export const checks = [
  {
    column: "connect",
    name: "a wrong password is refused",
    run: async (servers) => {
      const error = await fails(connect({ ...servers, password: "wrong" }), "password");
      equal(error.code, 16); // UNAUTHENTICATED
    },
  },
  {
    column: "query",
    name: "rows as objects",
    run: async (servers) => {
      const session = await connect(servers);
      const result = await session.query("SELECT code, name, 1.5 AS half FROM ref.province WHERE code = '33'");
      const [row] = await result.collectToObjects();
      equal(row.toJSON(), { code: "33", name: "浙江省", half: 1.5 });
    },
  },
  {
    column: "error",
    name: "a value that fails while rows arrive",
    run: async (servers) => {
      const session = await connect(servers);
      const value = "CAST(CASE WHEN value < 2999999 THEN '1' ELSE 'one' END AS BIGINT)";
      const error = await fails(rows(session, `SELECT ${value} FROM generate_series(1, 3000000)`), "one");
      equal(error.code, 3); // INVALID_ARGUMENT
      equal(await rows(session, "SELECT 1"), [["1"]]);
    },
  },
];
