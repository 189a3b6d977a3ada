import { apiKey, oauth, oidc } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'

// Other scopes than read:user and user:email, and a GitHub Enterprise Server.
export const enterprise = github({ scopes: ['read:user', 'repo'], baseUrl: 'https://github.acme.example' })

// Any OAuth 2.0 service, by its endpoints. Without a client secret it needs no broker.
export const acme = oauth({
  id: 'acme',
  name: 'Acme',
  description: 'Orders and invoices',
  authorizationEndpoint: 'https://acme.example/oauth/authorize',
  tokenEndpoint: 'https://acme.example/oauth/token',
  clientId: 'my-agent',
  scopes: ['orders:read'],
  scopeMeanings: { 'orders:read': { label: 'See your orders', access: 'read' } },
})

// Any OpenID Connect service, by its issuer. The broker has its client secret.
export const company = oidc({
  id: 'company',
  name: 'Acme ID',
  issuer: 'https://id.acme.example',
  tokenEndpointAuthMethod: 'client_secret_post',
})

// Any service that people connect by pasting a key.
export const weather = apiKey({
  id: 'weather',
  name: 'Weather',
  keyUrl: 'https://weather.example/keys',
  apiBaseUrl: 'https://api.weather.example/v1',
  verify: { endpoint: 'https://api.weather.example/v1/me', fields: { subject: 'id', name: 'name' } },
})
