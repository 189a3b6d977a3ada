import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'

/** Where stand-ins of the real services are. A provider that is not in here is the real one. */
export type BaseUrls = Partial<Record<'github' | 'gmail' | 'kaggle', string>>

/** The services this agent works with. Pure data: browser and server make the same ones. */
export function createProviders(baseUrls: BaseUrls) {
  return {
    github: github({ baseUrl: baseUrls.github }),
    gmail: gmail({ baseUrl: baseUrls.gmail }),
    kaggle: kaggle({ baseUrl: baseUrls.kaggle }),
  }
}

export type Providers = ReturnType<typeof createProviders>
