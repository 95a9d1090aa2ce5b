/** JSON that comes from a store or over a wire. */

/** Undefined where it is no JSON, which no schema here accepts. */
export function parseJson(text: Buffer | string): unknown {
  try {
    return JSON.parse(text.toString());
  } catch {
    return undefined;
  }
}
