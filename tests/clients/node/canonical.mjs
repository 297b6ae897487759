// Arrow values as the canonical text of ../README.md.
//
// The values are read from the columns' buffers: the getters of apache-arrow round timestamps to milliseconds
// and give decimals without their scale.

import { DataType, DateUnit, IntervalUnit, Precision, TimeUnit, Vector } from "apache-arrow";

const DIGITS = { [TimeUnit.SECOND]: 0, [TimeUnit.MILLISECOND]: 3, [TimeUnit.MICROSECOND]: 6, [TimeUnit.NANOSECOND]: 9 };
const UNITS = { [TimeUnit.SECOND]: "s", [TimeUnit.MILLISECOND]: "ms", [TimeUnit.MICROSECOND]: "us", [TimeUnit.NANOSECOND]: "ns" };

/** A value as text, null, a list of canonical values, or an object of them. `data` is a column's chunk. */
export function canonical(data, i) {
  if (!data.getValid(i)) {
    return null;
  }
  const { type, values, children } = data;
  if (DataType.isMap(type)) {
    const [keys, items] = children[0].children;
    return range(data, i).map((at) => [canonical(keys, at), canonical(items, at)]);
  }
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    return range(data, i).map((at) => canonical(children[0], at));
  }
  if (DataType.isStruct(type)) {
    return Object.fromEntries(type.children.map((field, at) => [field.name, canonical(children[at], i)]));
  }
  if (DataType.isDecimal(type)) {
    return decimal(values.subarray(i * data.stride, (i + 1) * data.stride), type.scale);
  }
  if (DataType.isFloat(type) && type.precision === Precision.SINGLE) {
    return String(values[i]);
  }
  if (DataType.isBinary(type) || DataType.isFixedSizeBinary(type)) {
    return Buffer.from(new Vector([data]).get(i)).toString("hex");
  }
  return temporal(type, values, i) ?? String(new Vector([data]).get(i));
}

function range({ type, valueOffsets }, i) {
  const size = type.listSize;
  const [start, end] = size === undefined ? [valueOffsets[i], valueOffsets[i + 1]] : [i * size, (i + 1) * size];
  return Array.from({ length: end - start }, (_, step) => start + step);
}

/** A decimal from its 32-bit words, the lowest first, with all digits of its scale. */
function decimal(words, scale) {
  const bits = BigInt(words.length * 32);
  const unsigned = words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
  const value = BigInt.asIntN(Number(bits), unsigned);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return (value < 0n ? "-" : "") + whole + (scale > 0 ? `.${digits.slice(-scale)}` : "");
}

function temporal(type, values, i) {
  if (DataType.isDate(type)) {
    const seconds = type.unit === DateUnit.DAY ? BigInt(values[i]) * 86400n : floorDivide(values[i], 1000n);
    return date(seconds);
  }
  if (DataType.isTime(type)) {
    return moment(BigInt(values[i]), type.unit).slice("1970-01-01T".length);
  }
  if (DataType.isTimestamp(type)) {
    return moment(values[i], type.unit) + (type.timezone ? "Z" : "");
  }
  if (DataType.isDuration(type)) {
    return `${values[i]}${UNITS[type.unit]}`;
  }
  if (DataType.isInterval(type)) {
    return interval(type, values, i);
  }
  return undefined;
}

function interval(type, values, i) {
  switch (type.unit) {
    case IntervalUnit.YEAR_MONTH:
      return `${values[i]},0,0`;
    case IntervalUnit.DAY_TIME:
      return `0,${values[2 * i]},${BigInt(values[2 * i + 1]) * 1000000n}`;
    default: {
      const nanoseconds = (BigInt(values[4 * i + 3]) << 32n) | BigInt(values[4 * i + 2] >>> 0);
      return `${values[4 * i]},${values[4 * i + 1]},${nanoseconds}`;
    }
  }
}

/** A count of units since 1970, with as many digits of a second as the unit has. */
function moment(count, unit) {
  const perSecond = 10n ** BigInt(DIGITS[unit]);
  const seconds = floorDivide(count, perSecond);
  const fraction = String(count - seconds * perSecond).padStart(DIGITS[unit], "0");
  const time = new Date(Number(seconds) * 1000).toISOString().slice("1970-01-01T".length, -".000Z".length);
  return `${date(seconds)}T${time}${DIGITS[unit] > 0 ? `.${fraction}` : ""}`;
}

const date = (seconds) => new Date(Number(seconds) * 1000).toISOString().slice(0, "1970-01-01".length);

function floorDivide(dividend, divisor) {
  const quotient = dividend / divisor;
  return dividend % divisor < 0n ? quotient - 1n : quotient;
}
