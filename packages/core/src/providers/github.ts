import { defineProvider, type OAuthFactoryOptions, type OAuthProvider, trimBase } from '../provider.ts'

/**
 * GitHub, as an OAuth App. It wants a client secret even with PKCE and its token endpoint answers no browser, so a
 * broker is needed. `baseUrl` is a GitHub Enterprise Server.
 *
 * @param options `scopes` default: `read:user user:email`.
 */
export function github(options: OAuthFactoryOptions = {}): OAuthProvider<'github'> {
  const base = trimBase(options.baseUrl ?? 'https://github.com')
  const api = options.baseUrl ? `${base}/api/v3` : 'https://api.github.com'
  // GitHub names itself by this issuer in its authorization response (RFC 9207), not by its origin.
  const issuer = `${base}/login/oauth`
  return defineProvider({
    kind: 'oauth',
    id: 'github',
    name: options.name ?? 'GitHub',
    description: options.description ?? 'Repositories, issues and pull requests',
    issuer,
    baseUrl: options.baseUrl,
    apiBaseUrl: api,
    envNames: ['GITHUB_TOKEN'],
    server: {
      issuer,
      authorization_endpoint: `${base}/login/oauth/authorize`,
      token_endpoint: `${base}/login/oauth/access_token`,
      code_challenge_methods_supported: ['S256'],
    },
    client: { client_id: options.clientId, token_endpoint_auth_method: 'client_secret_post' },
    scopes: options.scopes ?? ['read:user', 'user:email'],
    requiredScopes: options.requiredScopes ?? ['read:user'],
    // These see public repositories only: no scope of an OAuth App reads private ones without changing them.
    readOnlyScopes: ['read:user', 'user:email'],
    scopeMeanings: {
      'read:user': { label: 'See your profile', access: 'read' },
      'user:email': { label: 'See your email addresses', access: 'read' },
      public_repo: {
        label: 'Read and change your public repositories',
        access: 'write',
        short: 'change public repositories',
      },
      repo: {
        label: 'Read and change all your repositories, private ones too',
        access: 'write',
        short: 'change repositories',
        sensitive: true,
      },
      'read:org': { label: 'See which organizations you are in', access: 'read' },
      gist: { label: 'Create and change gists', access: 'write', short: 'change gists' },
      notifications: { label: 'Read and mark your notifications', access: 'write', short: 'mark notifications' },
      workflow: {
        label: 'Change GitHub Actions workflows',
        access: 'write',
        short: 'change workflows',
        sensitive: true,
      },
    },
    chooserParams: { prompt: 'select_account' },
    errorAliases: {
      bad_verification_code: 'invalid_grant',
      incorrect_client_credentials: 'invalid_client',
      redirect_uri_mismatch: 'invalid_request',
    },
    profile: {
      endpoint: `${api}/user`,
      emailsEndpoint: `${api}/user/emails`,
      cors: true,
      fields: {
        subject: 'id',
        username: 'login',
        name: ['name', 'login'],
        email: 'email',
        avatar: 'avatar_url',
        url: 'html_url',
      },
    },
    revocation: { endpoint: `${api}/applications/{client_id}/token`, method: 'DELETE', member: 'access_token' },
    manageUrl: 'https://github.com/settings/applications',
  })
}
