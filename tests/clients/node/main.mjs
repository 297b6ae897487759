// Checks of Basin with a Flight SQL client for Node, as ../README.md asks for them.

import { readFileSync } from "node:fs";
import { commonChecks } from "./common.mjs";
import { serversOfEnvironment } from "./servers.mjs";
import { typeChecks } from "./types.mjs";

const CLIENTS = ["lakehouse", "lancedb"];

async function main() {
  const name = process.argv[2];
  if (!CLIENTS.includes(name)) {
    console.log(`name a client: ${CLIENTS.join(" or ")}`);
    return 2;
  }
  const servers = serversOfEnvironment();
  const client = await import(`./${name}.mjs`);
  console.log(`version ${installedVersion(client.PACKAGE)}`);
  let passed = 0;
  let failed = 0;
  for (const { column, name, run } of [...commonChecks(client), ...client.checks, ...typeChecks(client, servers)]) {
    const started = performance.now();
    try {
      await run(servers);
      passed += 1;
      console.log(`passed ${column}: ${name} (${((performance.now() - started) / 1000).toFixed(2)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${column}: ${name}\n${error?.stack ?? error}`);
    }
  }
  for (const [column, reason] of client.ABSENT) {
    console.log(`absent ${column}: ${reason}`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

function installedVersion(name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
}

// The clients have no call to close a connection, so the program ends itself.
process.exit(await main());
