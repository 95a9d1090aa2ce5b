/** Version numbers as the tools print them. */

/** The first dotted number in the text: "Version  : v1.8.0" is "1.8.0". */
export function extractVersion(text: string): string | undefined {
  return /(?:^|[^\d.])v?(\d+(?:\.\d+)+)/.exec(text)?.[1];
}

/** Negative, zero or positive, as in Array.sort; missing parts count as 0. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [left.split('.').map(Number), right.split('.').map(Number)];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
