import {
  defineProvider,
  type OAuthFactoryOptions,
  type OAuthProvider,
  OIDC_PROFILE_FIELDS,
  trimBase,
} from '../provider.ts'

const SCOPE = 'https://www.googleapis.com/auth/'

/**
 * Gmail, at Google's authorization server. Google wants a client secret of web apps even with PKCE, so a broker is
 * needed. `baseUrl` moves all of Google's hosts to one.
 *
 * @param options `scopes` default: `openid email profile` and `gmail.readonly`.
 */
export function gmail(options: OAuthFactoryOptions = {}): OAuthProvider<'gmail'> {
  const at = (host: string) => trimBase(options.baseUrl ?? `https://${host}`)
  const issuer = at('accounts.google.com')
  return defineProvider({
    kind: 'oauth',
    id: 'gmail',
    name: options.name ?? 'Gmail',
    description: options.description ?? 'Read and search your email',
    issuer,
    baseUrl: options.baseUrl,
    apiBaseUrl: `${at('gmail.googleapis.com')}/gmail/v1`,
    envNames: ['GMAIL_TOKEN', 'GOOGLE_ACCESS_TOKEN'],
    server: {
      issuer,
      authorization_endpoint: `${at('accounts.google.com')}/o/oauth2/v2/auth`,
      token_endpoint: `${at('oauth2.googleapis.com')}/token`,
      revocation_endpoint: `${at('oauth2.googleapis.com')}/revoke`,
      jwks_uri: options.baseUrl ? `${issuer}/oauth2/v3/certs` : 'https://www.googleapis.com/oauth2/v3/certs',
      code_challenge_methods_supported: ['S256'],
    },
    client: { client_id: options.clientId, token_endpoint_auth_method: 'client_secret_post' },
    scopes: options.scopes ?? ['openid', 'email', 'profile', `${SCOPE}gmail.readonly`],
    requiredScopes: options.requiredScopes ?? ['openid', 'email', 'profile'],
    readOnlyScopes: ['openid', 'email', 'profile', `${SCOPE}gmail.readonly`],
    scopeMeanings: {
      openid: { label: 'Know who you are', access: 'read' },
      email: { label: 'See your email address', access: 'read' },
      profile: { label: 'See your name and picture', access: 'read' },
      [`${SCOPE}gmail.readonly`]: {
        label: 'Read all your email',
        access: 'read',
        short: 'read email',
        sensitive: true,
      },
      [`${SCOPE}gmail.metadata`]: { label: 'See senders and subjects, not the text', access: 'read' },
      [`${SCOPE}gmail.send`]: { label: 'Send email as you', access: 'write', short: 'send email' },
      [`${SCOPE}gmail.compose`]: {
        label: 'Write drafts and send',
        access: 'write',
        short: 'send email',
        sensitive: true,
      },
      [`${SCOPE}gmail.modify`]: {
        label: 'Read, label and trash your email',
        access: 'write',
        short: 'change email',
        sensitive: true,
      },
    },
    // Google answers with these long forms of the OpenID Connect scopes.
    scopeAliases: { [`${SCOPE}userinfo.email`]: 'email', [`${SCOPE}userinfo.profile`]: 'profile' },
    // Without both, a person who consented before gets no refresh token.
    authorizationParams: { access_type: 'offline', prompt: 'consent', include_granted_scopes: 'true' },
    chooserParams: { prompt: 'select_account consent' },
    onlyParams: { include_granted_scopes: 'false' },
    profile: {
      endpoint: options.baseUrl ? `${issuer}/oauth2/v3/userinfo` : 'https://www.googleapis.com/oauth2/v3/userinfo',
      cors: true,
      fields: { ...OIDC_PROFILE_FIELDS, username: 'email' },
    },
    revocationAuth: 'none',
    manageUrl: 'https://myaccount.google.com/connections',
  })
}
