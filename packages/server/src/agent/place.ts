import { readConnectRequest } from '@latchkey/core'
import { readApprovalNotice } from '@latchkey/core/agents'
import { isObject } from '@latchkey/core/server'
import { canonicalJson } from '../vault/tenant-digest.ts'

/** Where a call of a tool stands in the person's turn. */
export interface CallPlace {
  /** The runtime's id of the call. */
  toolCallId: string
  /** Equal calls that come before it, as far as the conversation has them. Absent: the runtime does not say what was before. */
  before?: number
  /** Messages when its step began. Absent: the conversation has the call itself. */
  step?: number
}

/**
 * The place of a call, out of what the AI SDK hands to a tool. A request that goes on after a pause is a new one, which
 * remembers nothing: the conversation alone tells a second equal call from the first one, made again with a new answer.
 *
 * An earlier call counts if it was made. One that was denied, failed or waits does not: to try it again is the same call. Of
 * calls in one step each counts, since they may be made in any order. Whatever a forged conversation says, the call is judged
 * as any other.
 *
 * Of a runtime that gives no conversation the id alone tells calls apart: one that is tried again under another id is a call of
 * its own, of which its person is asked anew.
 *
 * @param options what the AI SDK calls a tool with. Without `toolCallId` it says nothing of the place.
 * @param name the tool, where the conversation does not have the call yet
 */
export function placeOf(options: unknown, input: unknown, name: string): CallPlace | undefined {
  const { toolCallId, messages }: Part = isObject(options) ? options : {}
  if (typeof toolCallId !== 'string') return undefined
  if (!Array.isArray(messages)) return { toolCallId }
  const list = messages.filter(isObject)
  const turn = list.slice(list.findLastIndex(({ role }) => role === 'user') + 1)
  const steps = turn.map((message) => (message.role === 'assistant' ? partsOf(message, 'tool-call') : []))
  const at = steps.findIndex((calls) => calls.some((call) => call.toolCallId === toolCallId))
  const own = steps[at] ?? []
  const mine = own.findIndex((call) => call.toolCallId === toolCallId)
  const toolName = own[mine]?.toolName ?? name
  const text = textOf(input)
  const isEqual = (call: Part) => call.toolName === toolName && textOf(call.input) === text

  const results = turn.flatMap((message) => partsOf(message, 'tool-result'))
  const isMade = (call: Part) => results.some((one) => one.toolCallId === call.toolCallId && isResult(one.output))
  const earlier = (at < 0 ? steps : steps.slice(0, at)).flat().filter((call) => isEqual(call) && isMade(call))
  const before = earlier.length + own.slice(0, Math.max(mine, 0)).filter(isEqual).length
  return { toolCallId, before, ...(at < 0 && { step: list.length }) }
}

/** Tells equal calls of a turn apart: by their number, or by the runtime's id of the call. */
export type Nth = number | string

/** Numbers equal calls of one turn. */
export interface CallNumbers {
  /** Which one a call is by its place: the same in every request of its turn. */
  at(call: unknown, place: CallPlace | undefined): Nth
  /** Numbers a call that is made. One that has no place and is not made gives its number back. */
  take<T>(
    call: unknown,
    place: CallPlace | undefined,
    act: (nth: Nth) => Promise<T> | undefined,
  ): Promise<T | undefined>
}

export function createCallNumbers(): CallNumbers {
  /** Numbers of equal calls that were made, by their JSON. */
  const made = new Map<string, Set<Nth>>()
  /** The runtime's ids of equal calls of one step, in their order. */
  const steps = new Map<string, string[]>()
  const nthAt = (key: string, { toolCallId, before, step }: CallPlace): Nth => {
    if (before === undefined) return toolCallId
    if (step === undefined) return before + 1
    const ids = steps.get(`${step} ${key}`) ?? []
    steps.set(`${step} ${key}`, ids)
    if (!ids.includes(toolCallId)) ids.push(toolCallId)
    return before + 1 + ids.indexOf(toolCallId)
  }
  return {
    at: (call, place) => (place ? nthAt(JSON.stringify(call), place) : 1),
    async take(call, place, act) {
      const key = JSON.stringify(call)
      const taken = made.get(key) ?? new Set()
      made.set(key, taken)
      if (place) {
        const nth = nthAt(key, place)
        taken.add(nth)
        return act(nth)
      }
      let nth = 1
      while (taken.has(nth)) nth += 1
      taken.add(nth)
      try {
        return await act(nth)
      } catch (error) {
        taken.delete(nth)
        throw error
      }
    },
  }
}

type Part = Record<string, unknown>

const partsOf = ({ content }: Part, type: string): Part[] =>
  Array.isArray(content) ? content.filter((part) => isObject(part) && part.type === type) : []

/** Whether a tool's output says that the call was made. */
function isResult(output: unknown): boolean {
  if (!isObject(output) || !['text', 'json', 'content'].includes(`${output.type}`)) return false
  return !readApprovalNotice(output.value) && !readConnectRequest(output.value)
}

/** What has no JSON equals nothing. */
function textOf(value: unknown): string | symbol {
  try {
    return canonicalJson(value) ?? ''
  } catch {
    return Symbol('no JSON')
  }
}
