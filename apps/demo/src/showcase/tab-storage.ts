/** What this tab keeps over a reload. A browser that keeps nothing starts anew. */
export const tabStorage = {
  read(key: string): string | null {
    try {
      return sessionStorage.getItem(key)
    } catch {
      return null
    }
  },
  write(key: string, value: string): void {
    try {
      sessionStorage.setItem(key, value)
    } catch {
      // Nothing is lost but what a reload would bring back.
    }
  },
}
