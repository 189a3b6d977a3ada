import { ConsentDialog, useConnect } from '@latchkey/react'
import { useState } from 'react'

/** The kit's own buttons ask with `<LatchkeyProvider consent>`. This is for a button of your own. */
export function ConnectGitHub() {
  const [open, setOpen] = useState(false)
  const { connect } = useConnect('github')
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        Connect GitHub
      </button>
      <ConsentDialog
        provider="github"
        open={open}
        onOpenChange={setOpen}
        onContinue={(scopes) => void connect({ scopes })}
      />
    </>
  )
}
