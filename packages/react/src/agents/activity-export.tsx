'use client'
import type { Activity as Use } from '@latchkey/core/agents'
import { useEffect, useId, useRef, useState } from 'react'
import { useAccounts } from '../hooks.ts'
import { SmallButton } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { FORMATS, type FormatOf, pages, savedUses } from './activity-file.ts'
import { sentenceOf, type UseActivityOptions, useAgentMessages, useOversight } from './oversight.tsx'

interface Progress {
  count: number
  isDone: boolean
  error?: Error
}

/** Saves all uses in a file, however many, and says how many they were. */
export function Exports(filter: UseActivityOptions) {
  const words = useAgentMessages()
  const oversight = useOversight()
  const accounts = useAccounts()
  const id = useId()
  const [progress, setProgress] = useState<Progress>()
  const end = useRef<AbortController>(undefined)
  useEffect(() => () => end.current?.abort(), [])
  const isRunning = progress && !progress.isDone && !progress.error

  async function save({ name, type, heading, rows }: FormatOf): Promise<void> {
    const now = new AbortController()
    end.current = now
    const labels = new Map(accounts.map(({ id, label }) => [id, label]))
    const answers = new Map<string, Use['outcome']>()
    let count = 0
    // Pieces of text: a million uses as objects are too many for a phone.
    const parts = [heading]
    setProgress({ count, isDone: false })
    try {
      for await (const uses of pages(oversight, filter, now.signal)) {
        parts.push(rows(savedUses(uses, labels, answers)))
        count += uses.length
        setProgress({ count, isDone: false })
      }
      if (now.signal.aborted) return
      download(name, new Blob(parts, { type }))
      setProgress({ count, isDone: true })
    } catch (error) {
      if (!now.signal.aborted) setProgress({ count, isDone: false, error: error as Error })
    }
  }
  const cancel = () => {
    end.current?.abort()
    setProgress(undefined)
  }
  return (
    <div className="latchkey-actions">
      {isRunning ? (
        <SmallButton label={words.cancel} onPress={cancel} />
      ) : (
        <>
          <SmallButton label={words.exportCsv} onPress={() => void save(FORMATS.csv)} />
          <SmallButton label={words.exportLines} onPress={() => void save(FORMATS.lines)} />
        </>
      )}
      {progress && !progress.error && (
        <span className="latchkey-line" role={progress.isDone ? 'status' : undefined}>
          {progress.isDone ? words.exportedCount(progress.count) : words.exportingCount(progress.count)}
        </span>
      )}
      <Problem id={id} sentence={progress?.error && sentenceOf(words, progress.error)} />
    </div>
  )
}

function download(name: string, file: Blob): void {
  const url = URL.createObjectURL(file)
  Object.assign(document.createElement('a'), { href: url, download: name }).click()
  URL.revokeObjectURL(url)
}
