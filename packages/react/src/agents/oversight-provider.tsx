'use client'
import { ConsentMoreContext, type ConsentMoreProps } from '../dialogs/consent-more.ts'
import { later } from '../later.tsx'
import { Overseeing, type OversightProviderProps } from './oversight.tsx'

const useConsentPreview = /* @__PURE__ */ later(() => import('./access-preview.lazy.tsx'), 'ConsentPreview', true)

/** In a question for consent: what agents would do with it. Its code comes with the question. */
function Consented(props: ConsentMoreProps) {
  const [Shown] = useConsentPreview(true)
  return Shown && <Shown {...props} />
}

const say = (props: ConsentMoreProps) => <Consented {...props} />

/** Gives the tree below it what agents may do. It has to be inside of a `LatchkeyProvider`. */
export function OversightProvider(props: OversightProviderProps) {
  return (
    <ConsentMoreContext.Provider value={say}>
      <Overseeing {...props} />
    </ConsentMoreContext.Provider>
  )
}
