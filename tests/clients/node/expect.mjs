// What checks say when something is not as it must be.

import { deepStrictEqual, fail, ok } from "node:assert";

export const equal = deepStrictEqual;
export const isTrue = ok;

/** Waits for what must fail; gives the error. A client that never answers fails the check. */
export async function fails(promise, says, seconds = 30) {
  let found;
  try {
    found = await inTime(promise, seconds);
  } catch (error) {
    ok(!(error instanceof TooLate), error.message);
    ok(String(error.message).includes(says), `the message does not say "${says}": ${error.message}`);
    return error;
  }
  return fail(`it did not fail: ${found}`);
}

export class TooLate extends Error {}

/** Gives what the promise gives, or fails after a time. */
export async function inTime(promise, seconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new TooLate(`no answer within ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
