import { type ApiKeyProvider, defineProvider, type KeyScheme, trimBase } from '../provider.ts'

/** What can differ from the public Kaggle. */
export interface KaggleOptions {
  /** Moves the API and key-check host, not the "Get API Key" link. */
  baseUrl?: string
  name?: string
  description?: string
}

/**
 * Kaggle, by API key: a new token (`KGAT_…`, sent as Bearer) or a legacy username and key (sent as Basic). A `KGAT_`
 * token sent as Basic is refused by Kaggle, so the shape of the key decides.
 */
export function kaggle(options: KaggleOptions = {}): ApiKeyProvider<'kaggle'> {
  const api = `${trimBase(options.baseUrl ?? 'https://api.kaggle.com')}/v1`
  const username = ['username', 'userName'] as const
  const schemes: KeyScheme[] = [
    {
      pattern: '^KGAT_',
      fields: ['key'],
      authorization: { scheme: 'Bearer', token: 'key' },
      env: { KAGGLE_API_TOKEN: 'key' },
      verify: {
        endpoint: `${api}/security.OAuthService/IntrospectToken`,
        method: 'POST',
        body: { token: '{key}' },
        active: 'active',
        refused: [400, 404],
        fields: { subject: username, username, name: username },
      },
    },
    {
      fields: ['key', 'username'],
      authorization: { scheme: 'Basic', username: 'username', password: 'key' },
      env: { KAGGLE_USERNAME: 'username', KAGGLE_KEY: 'key' },
      verify: {
        endpoint: `${api}/api.v1.DiagnosticsService/Hello`,
        method: 'POST',
        body: {},
        fields: { subject: username, username, name: username },
      },
    },
  ]
  return defineProvider({
    kind: 'api-key',
    id: 'kaggle',
    name: options.name ?? 'Kaggle',
    description: options.description ?? 'Datasets, notebooks and competitions',
    issuer: 'https://www.kaggle.com',
    baseUrl: options.baseUrl,
    apiBaseUrl: api,
    envNames: ['KAGGLE_TOKEN'],
    fields: [
      { name: 'key', label: 'Kaggle API key', secret: true },
      {
        name: 'username',
        label: 'Kaggle username',
        help: 'This looks like an older Kaggle key. Older keys also need your username.',
      },
    ],
    schemes,
    keyUrl: 'https://www.kaggle.com/settings/account',
    file: { name: 'kaggle.json', fields: { username: 'username', key: 'key' } },
    cautions: [
      'A key gives full access to your Kaggle account.',
      'Never commit it or share it.',
      'You can revoke or regenerate it any time in your Kaggle settings.',
    ],
    manageUrl: 'https://www.kaggle.com/settings/account',
  })
}
