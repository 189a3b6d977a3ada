import type { laterEnglish } from './en.lazy.ts'
import type { english } from './en.ts'

/** The sentences that the components show at first sight. */
export type FirstMessages = typeof english & {
  /** The writing direction of the sentences. @default that of the page */
  dir?: 'ltr' | 'rtl'
}

/** The catalogue of every visible or spoken sentence: those of the first load and those that load on intent. */
export type Messages = typeof laterEnglish & FirstMessages

/** A catalogue to lay over the English one: any part of it, one level deep. */
export type MessageOverrides = {
  [Key in keyof Messages]?: Messages[Key] extends (...args: never[]) => string ? Messages[Key] : Partial<Messages[Key]>
}
