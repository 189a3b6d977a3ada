/** A foreign text to show: no invisible or direction-changing characters, one line, short. Empty if nothing is left. */
export const cleanText = (text: string): string =>
  text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, '')
    .replace(/[<>]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 64)

/** A foreign text as the name of a server: {@link cleanText}, or words in its place if nothing is left. */
export function cleanName(name: string): string {
  return cleanText(name) || 'MCP server'
}
