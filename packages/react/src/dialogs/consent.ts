'use client'
import { type UseConsent, type UseConsentOptions, useConsentItems } from './consent-items.ts'

/**
 * What a person decides before a window opens, for a dialog of your own. Everything optional is preselected, unless it
 * is sensitive.
 */
export function useConsent(options: UseConsentOptions): UseConsent {
  // A function of its own, and not another name, for the same reason as `ApiKeyForm`.
  return useConsentItems(options)
}
