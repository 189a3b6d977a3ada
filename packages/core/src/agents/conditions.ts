/** A comparison of one argument. All of its members must hold. */
export interface Comparison {
  equals?: string | number | boolean
  in?: readonly (string | number)[]
  startsWith?: string
  endsWith?: string
  min?: number
  max?: number
}

/** Comparisons by argument name. All must hold. */
export type Conditions = Readonly<Record<string, Comparison>>

/**
 * What separates or hides words. A text with one of these may be several values to whoever reads it, and its end or its
 * start says nothing of the others.
 */
const SEPARATOR = /[\s,;<>\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u

/** Also what becomes a separator for a reader that normalizes, such as a wide comma. */
const isOneWord = (text: string): boolean => !SEPARATOR.test(text) && !SEPARATOR.test(text.normalize('NFKC'))

type Compare<Wanted> = (value: unknown, wanted: Wanted) => boolean | undefined

/** Nothing is converted: undefined if the value has not the type that is compared. */
const COMPARE: { [Name in keyof Comparison]-?: Compare<NonNullable<Comparison[Name]>> } = {
  equals: (value, wanted) => (typeof value === typeof wanted ? value === wanted : undefined),
  in: (value, wanted) => {
    const alike = wanted.filter((one) => typeof one === typeof value)
    return alike.length > 0 ? alike.some((one) => one === value) : undefined
  },
  startsWith: (value, wanted) => (typeof value === 'string' && isOneWord(value) ? value.startsWith(wanted) : undefined),
  endsWith: (value, wanted) => (typeof value === 'string' && isOneWord(value) ? value.endsWith(wanted) : undefined),
  min: (value, wanted) => (Number.isFinite(value) ? Number(value) >= wanted : undefined),
  max: (value, wanted) => (Number.isFinite(value) ? Number(value) <= wanted : undefined),
}

/**
 * Whether arguments meet all conditions, without any conversion. Undefined if one of them cannot be compared: the argument
 * is absent or has another type, there is nothing to compare, or the arguments are no plain object.
 */
export function holds(conditions: Conditions, args: unknown): boolean | undefined {
  const results = Object.entries(conditions).map(([name, comparison]) => compare(comparison, argumentOf(args, name)))
  if (results.length === 0 || results.includes(undefined)) return undefined
  return results.every(Boolean)
}

function compare(comparison: Comparison, value: unknown): boolean | undefined {
  if (Number.isNaN(value)) return undefined
  const results = Object.entries(comparison).map(([name, wanted]) =>
    Object.hasOwn(COMPARE, name) ? COMPARE[name as keyof Comparison](value, wanted as never) : undefined,
  )
  if (results.length === 0 || results.includes(undefined)) return undefined
  return results.every(Boolean)
}

/** An argument that the object has itself and that is the same at every look: no getter, nothing inherited. */
function argumentOf(args: unknown, name: string): unknown {
  if (typeof args !== 'object' || args === null) return undefined
  const prototype: unknown = Object.getPrototypeOf(args)
  if (prototype !== null && prototype !== Object.prototype) return undefined
  return Object.getOwnPropertyDescriptor(args, name)?.value
}
