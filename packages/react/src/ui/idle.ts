/** Once the browser has nothing else to do. Safari has no such call. */
export function whenIdle(act: () => void): () => void {
  const { requestIdleCallback, cancelIdleCallback } = window
  if (requestIdleCallback === undefined) {
    const timer = setTimeout(act, 2000)
    return () => clearTimeout(timer)
  }
  const handle = requestIdleCallback(act)
  return () => cancelIdleCallback(handle)
}
