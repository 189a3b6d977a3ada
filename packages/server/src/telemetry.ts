import { LatchkeyError } from '@latchkey/core'
import { metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'

const SCOPE = '@latchkey/server'

/** Ids and words only. What is not in this list cannot get into a span. */
type Attributes = {
  'latchkey.provider'?: string
  'latchkey.account'?: string
  'latchkey.agent'?: string
  'latchkey.outcome'?: string
}

/** Runs as a span. Nothing is recorded of an error but its code: messages can hold what a server said. */
export function traced<T>(name: string, attributes: Attributes, act: () => Promise<T>): Promise<T> {
  // Looked up each time: an app may register its provider after this module was loaded.
  return trace.getTracer(SCOPE).startActiveSpan(name, { kind: SpanKind.INTERNAL, attributes }, async (span) => {
    const started = performance.now()
    let code = 'ok'
    try {
      return await act()
    } catch (error) {
      code = error instanceof LatchkeyError ? error.code : 'error'
      span.setAttribute('error.type', code)
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
      metrics
        .getMeter(SCOPE)
        .createHistogram(`${name}.duration`, { unit: 'ms' })
        .record(performance.now() - started, { 'latchkey.provider': attributes['latchkey.provider'], outcome: code })
    }
  })
}
