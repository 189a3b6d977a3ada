import { LatchkeyError, providerError } from '../errors.ts'
import { parseObject } from '../json.ts'
import type { Provider } from '../provider.ts'

/** Asks for one answer. `fetch` is one; some servers answer only another server, so a broker's is another. */
export type Ask = (url: string, init?: RequestInit) => Promise<Response>

/** Bytes. A larger answer is neither a token, a profile, metadata nor a broker's. */
const MAX_ANSWER = 256 * 1024

/** How a request is sent. */
export interface RequestOptions {
  fetch?: Ask
  signal?: AbortSignal
  /** The longest time for the answer and its body, in milliseconds. @default 10000 */
  limit?: number
}

/** What fetch itself threw, or the body of its answer: nobody answered. */
const unreachable = new WeakSet<object>()
const mark = (error: unknown): never => {
  unreachable.add(Object(error))
  throw error
}

/** `fetch` with a time limit, next to the caller's own signal. */
export const limited =
  ({ fetch = globalThis.fetch, signal, limit = 10_000 }: RequestOptions = {}): Ask =>
  (url, init) => {
    const signals = [AbortSignal.timeout(limit), signal, init?.signal].filter((one) => one instanceof AbortSignal)
    return fetch(url, { ...init, signal: AbortSignal.any(signals) }).catch(mark)
  }

/** `fetch` with a time limit until the answer begins: its body may be a stream that lasts. */
export const answered =
  (fetch: typeof globalThis.fetch): typeof globalThis.fetch =>
  (input, init) => {
    const stop = new AbortController()
    // As long as browsers wait for a silent server. A tool may take that long.
    const timer = setTimeout(() => stop.abort(new DOMException('No answer came.', 'TimeoutError')), 300_000)
    const given = init?.signal ?? (input instanceof Request ? input.signal : undefined)
    const signal = given ? AbortSignal.any([stop.signal, given]) : stop.signal
    return fetch(input, { ...init, signal }).finally(() => clearTimeout(timer))
  }

/** Reads a whole body. @throws the error from `tooLarge` if it has more than `maxBytes` bytes. */
export async function readBounded(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = []
  let size = 0
  // Not `for await`: Safari's streams cannot be iterated.
  const reader = body?.getReader()
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    size += read.value.byteLength
    if (size > maxBytes) {
      await reader?.cancel()
      throw tooLarge()
    }
    pieces.push(read.value)
  }
  const bytes = new Uint8Array(size)
  for (const piece of pieces.reverse()) {
    size -= piece.byteLength
    bytes.set(piece, size)
  }
  return bytes
}

const tooLarge = () => new LatchkeyError('malformed_response', 'The answer was too large.')

/** The text of an answer. @throws LatchkeyError `malformed_response` if it is too large. */
export const readText = async ({ body }: Response, maxBytes = MAX_ANSWER): Promise<string> =>
  new TextDecoder().decode(await readBounded(body, maxBytes, tooLarge).catch(mark))

/** A JSON object out of an answer. */
export type Answer = Record<string, unknown>

/** The members of an answer that say something: null and empty are as good as absent. */
export const saying = (answer: Answer): Answer =>
  Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== null && value !== ''))

/** A request whose answer is a JSON object. */
export interface ObjectRequest extends RequestInit {
  headers?: Record<string, string>
  /** The body. */
  json?: object
}

/** Reads a JSON object, as far as it says something; `answer` is undefined for any other text. No redirect is followed, unless `init` says so. */
export async function askObject(
  url: string,
  { json, headers, ...init }: ObjectRequest,
  options?: RequestOptions,
): Promise<{ response: Response; answer: Answer | undefined }> {
  const response = await limited(options)(url, {
    redirect: 'error',
    ...init,
    headers: { accept: 'application/json', ...(json && { 'content-type': 'application/json' }), ...headers },
    body: json && JSON.stringify(json),
  })
  const answer = parseObject(await readText(response))
  return { response, answer: answer && saying(answer) }
}

/** Whether it is the server that fails or limits, whatever it says with such a status. */
export const isAway = ({ status }: Response) => status >= 500 || status === 429

/** Seconds, from a number of them or a date; at most an hour. @see RFC 9110 §10.2.3 */
export function retryAfter({ headers }: Response): number | undefined {
  const value = headers.get('retry-after')
  if (value === null) return undefined
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000)
  return Number.isFinite(seconds) ? Math.min(3600, Math.max(0, seconds)) : undefined
}

/** Who answers, as errors call it. */
export type Named = Pick<Provider, 'id' | 'name'>

export const unavailable = (provider: Named, response?: Response) => {
  const wait = response && retryAfter(response)
  const next = wait === undefined ? 'retry' : 'wait'
  return providerError(provider, 'temporarily_unavailable', 'is not available right now.', { retryAfter: wait, next })
}

/** An answer of this server was not understood. `words` say more, where more is known. */
export const malformed = (provider: Named, cause?: unknown, words = 'gave an answer that could not be understood.') =>
  providerError(provider, 'malformed_response', words, { cause })

/** What went wrong at an endpoint of this provider, as our error: `network` is only what fetch itself threw. */
export function failure(provider: Named, error: unknown, words = 'could not be reached.'): LatchkeyError {
  if (error instanceof LatchkeyError && (error.provider || error.code !== 'malformed_response')) return error
  if (!unreachable.has(Object(error)) || error instanceof LatchkeyError) return malformed(provider, error)
  return providerError(provider, 'network', words, { cause: error })
}

/** The header of HTTP's Basic scheme. @see RFC 7617 §2 */
export const basic = (username: string, password: string) => {
  const bytes = new TextEncoder().encode(`${username}:${password}`)
  return `Basic ${btoa(String.fromCharCode(...bytes))}`
}
