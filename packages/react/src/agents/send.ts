'use client'
import type { AgentRequest, Answer, Oversight } from '@latchkey/core/agents'
import { useRef, useState } from 'react'
import { useAnswer, useOversight } from './oversight.tsx'
import type { Unproven } from './prove.lazy.ts'

/** Why a yes is not on its way: nothing was allowed, and the card is as it was. */
export type Held = Unproven | 'not-enrolled'

/** The answer with proof that the person is there, or why there is none. */
async function confirmed(oversight: Oversight, id: string, answer: Answer): Promise<Answer | Held> {
  const challenge = await oversight.challenge(id, answer)
  if (challenge.presence === 'not-needed') return answer
  if (challenge.presence === 'not-enrolled') return challenge.presence
  const { prove } = await import('./prove.lazy.ts')
  const end = await prove(challenge.options)
  return typeof end === 'string' ? end : { ...answer, proof: end.proof }
}

/** Why nothing was sent, or what went wrong on the way. */
const held = (held: Held) => ({ held, error: undefined })
const failed = (error: unknown) => ({
  held: undefined,
  error: error instanceof Error ? error : new Error('It failed.'),
})

/** Sends one answer, with proof where a yes needs it. A second click on the way is none. */
export function useSend({ id, presence }: AgentRequest, onDone: (request: AgentRequest) => void) {
  const oversight = useOversight()
  const { mutateAsync } = useAnswer()
  const [phase, setPhase] = useState<'asking' | 'sending'>()
  const [problem, setProblem] = useState<ReturnType<typeof held> | ReturnType<typeof failed>>()
  const sent = useRef(false)

  const deliver = async (ready: Answer | Held) => {
    if (typeof ready === 'string') return held(ready)
    setPhase('sending')
    onDone(await mutateAsync({ id, answer: ready }))
    return undefined
  }
  const send = async (answer: Answer) => {
    if (sent.current) return
    sent.current = true
    const isChanged = presence === 'if-changed' && answer.args !== undefined
    const needsProof = answer.answer === 'yes' && (presence === 'needed' || isChanged)
    setProblem(undefined)
    setPhase(needsProof ? 'asking' : 'sending')
    const ready = needsProof ? confirmed(oversight, id, answer) : Promise.resolve(answer)
    const end = await ready.then(deliver).catch(failed)
    setPhase(undefined)
    setProblem(end)
    if (end) sent.current = false
  }
  return { send, phase, held: problem?.held, error: problem?.error }
}
