// The servers that the environment names.

import { readFileSync } from "node:fs";

export function serversOfEnvironment() {
  const variable = (name) => {
    const value = process.env[`BASIN_${name}`];
    if (!value) {
      console.log(`BASIN_${name} is not set; servers.py prints it`);
      process.exit(2);
    }
    return value;
  };
  return {
    address: variable("ADDRESS"),
    tlsAddress: variable("TLS_ADDRESS"),
    user: variable("USER"),
    password: variable("PASSWORD"),
    types: JSON.parse(readFileSync(variable("TYPES"), "utf8")),
  };
}
