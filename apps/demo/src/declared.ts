import type { WithAccountOptions } from '@latchkey/server'
import type { Providers } from './providers.ts'

const MAIL = 'https://www.googleapis.com/auth/'

/** What each tool does with an account. The broker shows it to the person, and their rules are about it. */
export const declareTools = ({ github, gmail, kaggle }: Providers) =>
  ({
    list_repositories: { provider: github, toolName: 'list_repositories', title: 'List repositories', effect: 'read' },
    list_private_repositories: {
      provider: github,
      toolName: 'list_private_repositories',
      title: 'List private repositories',
      effect: 'read',
      // GitHub has no scope that only reads them.
      scopes: ['repo'],
    },
    open_issue: {
      provider: github,
      toolName: 'open_issue',
      title: 'Open an issue',
      effect: 'write',
      scopes: ['repo'],
      edit: ['title', 'body'],
    },
    search_mail: {
      provider: gmail,
      toolName: 'search_mail',
      // People have several mailboxes: the agent names one.
      account: 'choose',
      title: 'Search mail',
      effect: 'read',
      scopes: [`${MAIL}gmail.readonly`],
    },
    list_drafts: {
      provider: gmail,
      toolName: 'list_drafts',
      account: 'choose',
      title: 'List drafts',
      effect: 'read',
      scopes: [`${MAIL}gmail.readonly`],
    },
    delete_draft: {
      provider: gmail,
      toolName: 'delete_draft',
      account: 'choose',
      title: 'Delete a draft',
      effect: 'destructive',
      scopes: [`${MAIL}gmail.compose`],
    },
    list_datasets: { provider: kaggle, toolName: 'list_datasets', title: 'List datasets', effect: 'read' },
  }) satisfies Record<string, WithAccountOptions>

export type Declared = ReturnType<typeof declareTools>
