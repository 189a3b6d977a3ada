import { useEffect, useState } from 'react'
import type { Config } from '../agent.ts'

/** Asks the server for the configuration. Undefined if it gives none within ten seconds. */
export async function loadConfig(): Promise<Config | undefined> {
  try {
    const response = await fetch('/api/config', { signal: AbortSignal.timeout(10_000) })
    return response.ok ? await response.json() : undefined
  } catch {
    return undefined
  }
}

/** The configuration, once it is there; before that, whether the last try has failed and whether one is under way. */
export function useConfig(first: Promise<Config | undefined>) {
  const [loading, setLoading] = useState(first)
  const [config, setConfig] = useState<Config>()
  const [failed, setFailed] = useState(false)
  const [busy, setBusy] = useState(true)
  useEffect(() => {
    let over = false
    loading.then((answer) => {
      if (over) return
      setConfig(answer)
      setFailed(!answer)
      setBusy(false)
    })
    return () => {
      over = true
    }
  }, [loading])
  const retry = () => {
    if (busy) return
    setBusy(true)
    setLoading(loadConfig())
  }
  return { config, failed, busy, retry }
}
