// What both clients can do: log in, query, read large results, and be told what is wrong.

import { endsWithItsProgram } from "./audit.mjs";
import { equal, fails, isTrue } from "./expect.mjs";

const CONFIRMED = 3;

export function commonChecks(client) {
  const rows = async (servers, sql) => client.rows(await client.connect(servers), sql);
  return [
    {
      column: "connect",
      name: "user and password",
      run: async (servers) => {
        const session = await client.connect(servers);
        equal(await client.rows(session, "SELECT count(*) FROM health.city"), [["5247"]]);
        equal(await client.rows(session, "SELECT 1"), [["1"]]);
      },
    },
    {
      column: "query",
      name: "figures of the pack",
      run: async (servers) => {
        equal(await rows(servers, "SELECT count(*) FROM health.city"), [["5247"]]);
        equal(await rows(servers, "SELECT count(*) FROM jhu.series"), [["101010"]]);
        const sql = "SELECT code, name FROM ref.province WHERE code IN ('11', '33') ORDER BY code";
        equal(await rows(servers, sql), [
          ["11", "北京市"],
          ["33", "浙江省"],
        ]);
      },
    },
    {
      column: "query",
      name: "an empty result keeps its schema",
      run: async (servers) => {
        const session = await client.connect(servers);
        equal(await client.columns(session, "SELECT code, name FROM ref.province WHERE false"), ["code", "name"]);
        equal(await client.rows(session, "SELECT code, name FROM ref.province WHERE false"), []);
      },
    },
    {
      column: "large",
      name: "millions of rows arrive whole",
      run: async (servers) => {
        const session = await client.connect(servers);
        const [[expected]] = await client.rows(session, "SELECT 31 * sum(confirmed) FROM jhu.series");
        const sql =
          "SELECT a.date, a.country, a.province, a.confirmed, b.code FROM jhu.series a CROSS JOIN ref.province b";
        let found = 0;
        let confirmed = 0n;
        for await (const batch of client.batches(session, sql)) {
          found += batch.numRows;
          const column = batch.data.children[CONFIRMED];
          for (let i = 0; i < batch.numRows; i++) {
            confirmed += column.getValid(i) ? column.values[i] : 0n;
          }
        }
        equal(found, 3131310);
        equal(String(confirmed), expected);
      },
    },
    {
      column: "large",
      name: "values of megabytes arrive",
      run: async (servers) => {
        const [[text]] = await rows(servers, "SELECT repeat('浙', 1000000)");
        isTrue(text === "浙".repeat(1000000), "another text");
        equal((await rows(servers, "SELECT repeat('x', 1000000) AS v FROM ref.province")).length, 31);
      },
    },
    {
      column: "-",
      name: "statements change a table",
      run: async (servers) => {
        const session = await client.connect(servers);
        const table = `node_${client.NAME}`;
        await client.rows(session, `CREATE OR REPLACE TABLE ${table} (n BIGINT, place VARCHAR)`);
        equal(await client.rows(session, `INSERT INTO ${table} VALUES (1, '武汉'), (2, NULL)`), [["2"]]);
        equal(await client.rows(session, `SELECT n, place FROM sandbox_analyst.${table} ORDER BY n`), [
          ["1", "武汉"],
          ["2", null],
        ]);
        await client.rows(session, `DROP TABLE ${table}`);
      },
    },
    { column: "-", name: "a query ends with its program", run: (servers) => endsWithItsProgram(client, servers) },
    ...[
      ["an unknown column", "SELECT no_such_column FROM health.city", "no_such_column"],
      ["an unknown table", "SELECT * FROM health.village", "health.village"],
      ["not SQL", "GIVE 1", "GIVE"],
    ].map(([name, sql, says]) => ({
      column: "error",
      name,
      run: async (servers) => {
        const session = await client.connect(servers);
        await fails(client.rows(session, sql), client.errorSays(says));
        equal(await client.rows(session, "SELECT 1"), [["1"]]);
      },
    })),
  ];
}
