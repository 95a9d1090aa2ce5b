/** Text from elsewhere, made harmless for a terminal: a name must not move the cursor, forge a line or reverse its reading order. */

/** C0 and C1 controls, DEL, Unicode's line separators and the marks that reorder text. */
const unsafe = /[\p{Cc}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu;

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** One printable line: ESC becomes the six characters `\u001b`. */
export const escapeLine = (text: string): string => text.toWellFormed().replace(unsafe, escaped);

/** Several printable lines: line feeds stay. */
export const escapeText = (text: string): string => text.split('\n').map(escapeLine).join('\n');

/** For documents whose quoted strings understand `\uXXXX` (JSON, YAML in double quotes). Line feeds are the document's own. */
export const escapeDocument = (text: string): string => escapeText(text);

export const isSafeLine = (text: string): boolean => text.isWellFormed() && escapeLine(text) === text;
