// Every type of types.json, and the same with NULL in the last row.

import { equal, isTrue } from "./expect.mjs";

export function typeChecks(client, servers) {
  // Both columns look at one answer: it is asked for once.
  const answers = new Map();
  const ask = async ({ type, sql }) => {
    if (!answers.has(type)) {
      const session = await client.connect(servers);
      const found = await client.rows(session, query(sql));
      equal(found.length, sql.length + 1);
      answers.set(type, found.map(([value]) => value));
    }
    return answers.get(type);
  };
  return [
    ...servers.types.map((entry) => ({
      column: "types",
      name: entry.type,
      run: async () => {
        const found = await ask(entry);
        entry.text.forEach((expected, i) => same(entry.type, entry.sql[i], found[i], expected));
      },
    })),
    ...servers.types.map((entry) => ({
      column: "nulls",
      name: entry.type,
      run: async () => {
        const found = await ask(entry);
        found.slice(0, -1).forEach((value, i) => isTrue(value !== null, `${entry.sql[i]}: found NULL`));
        equal(found.at(-1), null);
      },
    })),
  ];
}

/** Gives one row for each expression and then one with NULL. */
function query(expressions) {
  const cases = expressions.map((sql, i) => `WHEN ${i + 1} THEN ${sql}`).join(" ");
  const rows = [...expressions, "NULL"].map((_, i) => `(${i + 1})`).join(", ");
  return `SELECT CASE n ${cases} END AS v FROM (VALUES ${rows}) AS t(n) ORDER BY n`;
}

/** Compares canonical texts; floats as numbers of their width. */
function same(type, sql, found, expected) {
  const round = { Float16: Math.fround, Float32: Math.fround, Float64: Number }[type];
  if (round) {
    isTrue(found !== null && Object.is(round(found), round(expected)), `${sql}: found ${found}, expected ${expected}`);
  } else {
    equal(found, expected, `${sql}: found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
  }
}
