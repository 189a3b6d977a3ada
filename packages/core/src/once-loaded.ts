import { LatchkeyError } from './errors.ts'
import { once } from './once.ts'

/** Like `once`, for code: what a browser could not fetch it does not ask for again until the page is reloaded. */
export const onceLoaded = <T>(load: () => Promise<T>): (() => Promise<T>) =>
  once(() =>
    load().catch((cause) => {
      // "Failed to fetch dynamically imported module", "error loading dynamically imported module", "Importing a module script failed."
      if (!(cause instanceof TypeError && /module/i.test(cause.message))) throw cause
      throw new LatchkeyError('network', 'Part of the app could not be loaded.', {
        source: 'app',
        next: 'reload',
        cause,
      })
    }),
  )
