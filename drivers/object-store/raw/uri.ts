/** Percent-encoding exactly as SigV4 signs it: RFC 3986's unreserved characters stay, everything else becomes the %XX of its UTF-8 bytes. */

/** What encodeURIComponent leaves alone and SigV4 does not. */
const LEFT_OVER = /[!'()*]/g;
const UNRESERVED = /^[\w.~-]*$/;
const UNRESERVED_OR_SLASH = /^[\w.~/-]*$/;

/** A query's value, or any text without structure. */
export function encodeText(text: string): string {
  return UNRESERVED.test(text) ? text : encodeURIComponent(text).replace(LEFT_OVER, percent);
}

/** A key, whose slashes are a path's. */
export function encodeKey(key: string): string {
  return UNRESERVED_OR_SLASH.test(key) ? key : key.split('/').map(encodeText).join('/');
}

const percent = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
