/** A foreign text as a name to show: no invisible or direction-changing characters, one line, short. */
export function cleanName(name: string): string {
  return (
    name
      .normalize('NFC')
      .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, '')
      .replace(/[<>]/g, '')
      .replace(/\s+/g, ' ')
      .trim()
      .slice(0, 64) || 'MCP server'
  )
}
