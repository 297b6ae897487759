// What the server's audit says of a query that a program of its own ran and was killed at.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { equal, sleep } from "./expect.mjs";

const PATIENCE_SECONDS = 20;

/** A query ends with the program that asked for it. */
export async function endsWithItsProgram(client, servers) {
  const mark = `node_killed_${Date.now()}`;
  const sql = `SELECT sum(value % 7) AS ${mark} FROM generate_series(1, 1000000000000)`;
  const session = await client.connect(servers);
  const outcomes = async () => {
    const of = `sql LIKE '%${mark}%' AND sql NOT LIKE '%basin.queries%'`;
    const found = await client.rows(session, `SELECT DISTINCT coalesce(outcome, 'runs') FROM basin.queries WHERE ${of}`);
    return found.map(([outcome]) => outcome);
  };
  const program = spawn(process.execPath, [fileURLToPath(new URL("query.mjs", import.meta.url)), client.NAME, sql]);
  try {
    await until(async () => (await outcomes()).includes("runs"));
  } finally {
    program.kill("SIGKILL");
  }
  await until(async () => !(await outcomes()).includes("runs"));
  equal(await outcomes(), ["cancelled"]);
}

async function until(holds) {
  for (const end = performance.now() + PATIENCE_SECONDS * 1000; performance.now() < end; await sleep(0.3)) {
    if (await holds()) {
      return;
    }
  }
  throw new Error(`not within ${PATIENCE_SECONDS} s: ${holds}`);
}
