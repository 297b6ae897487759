// Runs one query with a client, for the check that ends this program in the middle of it.
//
//   node query.mjs CLIENT SQL

import { serversOfEnvironment } from "./servers.mjs";

const [, , name, sql] = process.argv;
const client = await import(`./${name}.mjs`);
console.log(await client.rows(await client.connect(serversOfEnvironment()), sql));
