import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'

/** URLs of stand-ins. A provider that is not listed is the real service. */
export type BaseUrls = Partial<Record<'github' | 'gmail' | 'kaggle', string>>

/** The services that the agent works with. Browser and server create the same providers. */
export function createProviders(baseUrls: BaseUrls) {
  const keyUrl = baseUrls.kaggle && `${baseUrls.kaggle}/settings/account`
  return {
    github: github({ baseUrl: baseUrls.github }),
    gmail: gmail({ baseUrl: baseUrls.gmail }),
    // A provider is data. People get the stand-in's keys from the stand-in, not from Kaggle.
    kaggle: { ...kaggle({ baseUrl: baseUrls.kaggle }), ...(keyUrl && { keyUrl }) },
  }
}

export type Providers = ReturnType<typeof createProviders>
