/** Attributes of an input whose text is no prose: nothing corrects or completes it. */
export const verbatim = { autoComplete: 'off', autoCapitalize: 'none', spellCheck: false } as const

/** What is wrong with a field; it is read out when it appears. */
export function Problem({ id, sentence }: { id: string; sentence: string | undefined }) {
  if (!sentence) return null
  return (
    <p id={id} className="latchkey-problem" role="alert">
      {sentence}
    </p>
  )
}
