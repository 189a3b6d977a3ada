/**
 * What a reader would not see: format, control and unassigned characters, lone surrogates, fillers, and spaces that no
 * language needs.
 */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u1680\u2000-\u200A\u205F\u2800]/gu

/** A text in which every character is seen: an invisible one stands as its code, `⟨U+202E⟩`. */
export function visible(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(UNSEEN, (character, at: number, all: string) =>
      isAtHome(character, at, all) ? character : code(character),
    )
}

/** The same on one line: a name or a title has no line breaks. */
export const visibleLine = (text: string) => visible(text).replace(/[\n\t]/g, code)

const code = (character: string) => `⟨U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}⟩`

/** Whether layout, an emoji or an Arabic word is made with a character where it stands. */
function isAtHome(character: string, at: number, all: string): boolean {
  const [before, after] = [all.slice(Math.max(0, at - 5), at), all.slice(at + 1, at + 3)]
  if (character === '\n' || character === '\t') return true
  if (character === '\uFE0F') return /[\p{Extended_Pictographic}#*\d]$/u.test(before)
  if (character === '\u200C') return /\p{Script=Arabic}$/u.test(before) && /^\p{Script=Arabic}/u.test(after)
  const isJoined = /\p{Extended_Pictographic}(\uFE0F|\p{Emoji_Modifier})?$/u.test(before)
  return character === '\u200D' && isJoined && /^\p{Extended_Pictographic}/u.test(after)
}

/** Where a value is folded: after so many characters or lines. */
const FOLD = 200
const LINES = 6

/** The beginning of a text, and whether that is all of it. */
export function folded(text: string, most = FOLD): { start: string; isAll: boolean } {
  const lines = text.split('\n')
  const characters = [...(lines.length > LINES ? lines.slice(0, LINES).join('\n') : text)]
  const isAll = lines.length <= LINES && characters.length <= most
  return { start: isAll ? text : `${characters.slice(0, most).join('')}…`, isAll }
}

/** A tool's title, as a reader may be shown it: at most 80 characters, on one line, each of them seen. */
export const shownTitle = (title: string) => folded(visibleLine(title), 80).start

/** The name of a tool in a form that can be read: `notes/list_notes` is "List notes". */
export function plainName(name: string): string {
  const words = name
    .slice(name.lastIndexOf('/') + 1)
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, (_, end: string, start: string) => `${end} ${start.toLowerCase()}`)
    .replace(/[\s_.-]+/g, ' ')
    .trim()
  return words === '' ? name : words.charAt(0).toUpperCase() + words.slice(1)
}

/** Arguments as names and values, in their order. What has no names is one value without a name. */
export function shownArguments(args: unknown): { name: string | undefined; value: string }[] {
  if (args === undefined || args === null) return []
  if (typeof args !== 'object' || Array.isArray(args)) return [{ name: undefined, value: shown(args) }]
  return Object.entries(args).map(([name, value]) => ({ name: visibleLine(name), value: shown(value) }))
}

function shown(value: unknown): string {
  if (typeof value === 'string') return visible(value)
  const line = JSON.stringify(value) ?? ''
  return visible(line.length > 80 ? JSON.stringify(value, null, 2) : line)
}
