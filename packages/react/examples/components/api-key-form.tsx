import { kaggle } from '@latchkey/core/providers/kaggle'
import { ApiKeyForm } from '@latchkey/react'

const provider = kaggle()

export function KaggleKey({ close }: { close: () => void }) {
  return <ApiKeyForm provider={provider} onCancel={close} />
}
