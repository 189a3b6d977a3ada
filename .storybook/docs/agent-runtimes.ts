// The identity surface of agent-runtimes 1.0.10, name by name, and what takes each name's place in Latchkey. The page
// "Migrating from agent-runtimes" is made from it; its test fails for a name of ours that does not exist.

/** Where a name of ours is imported from. */
export type Entry =
  | '@latchkey/core'
  | '@latchkey/core/callback'
  | '@latchkey/core/mcp'
  | '@latchkey/core/providers'
  | '@latchkey/core/runtimes/ai-sdk'
  | '@latchkey/core/runtimes/fetch'
  | '@latchkey/core/server'
  | '@latchkey/react'
  | '@latchkey/server'

export interface Equal {
  /**
   * What takes its place: the import, and a name, or a member of it such as `useConnect.cancel`. Empty where nothing
   * does: `how` says why nothing is needed.
   */
  ours: readonly `${Entry} ${string}`[]
  /** One line of how. */
  how: string
}

/** Their names, by group. A member is written with a dot. */
export const THEIRS = {
  Components: [
    'IdentityButton',
    'IdentityConnect',
    'IdentityMenu',
    'IdentityCard',
    'AgentIdentity',
    'OAuthCallback',
    'getTokenStatus',
    'formatDuration',
    'formatExpirationStatus',
  ],
  'Props of components': [
    'IdentityButtonProps.provider',
    'IdentityButtonProps.clientId',
    'IdentityButtonProps.providerConfig',
    'IdentityButtonProps.scopes',
    'IdentityButtonProps.disabled',
    'IdentityButtonProps.size',
    'IdentityButtonProps.variant',
    'IdentityButtonProps.onConnect',
    'IdentityButtonProps.onDisconnect',
    'IdentityButtonProps.onError',
    'IdentityConnectProps.providers',
    'IdentityConnectProps.layout',
    'IdentityConnectProps.showHeader',
    'IdentityConnectProps.title',
    'IdentityConnectProps.size',
    'IdentityConnectProps.showDescriptions',
    'IdentityConnectProps.onConnect',
    'IdentityConnectProps.onDisconnect',
    'IdentityConnectProps.onError',
    'IdentityConnectProps.disabled',
    'IdentityMenuProps.providers',
    'IdentityMenuProps.onConnect',
    'IdentityMenuProps.onDisconnect',
    'IdentityMenuProps.disabled',
    'AgentIdentityProps.providers',
    'AgentIdentityProps.title',
    'AgentIdentityProps.showHeader',
    'AgentIdentityProps.showDescription',
    'AgentIdentityProps.description',
    'AgentIdentityProps.showExpirationDetails',
    'AgentIdentityProps.allowReconnect',
    'AgentIdentityProps.onConnect',
    'AgentIdentityProps.onDisconnect',
    'AgentIdentityProps.onError',
    'IdentityCardProps.identity',
    'IdentityCardProps.providerConfig',
    'IdentityCardProps.showExpirationDetails',
    'IdentityCardProps.allowReconnect',
    'IdentityCardProps.onConnect',
    'IdentityCardProps.onDisconnect',
    'IdentityCardProps.onError',
    'OAuthCallbackProps.successMessage',
    'OAuthCallbackProps.errorMessagePrefix',
    'OAuthCallbackProps.autoClose',
    'OAuthCallbackProps.autoCloseDelay',
    'OAuthCallbackProps.onSuccess',
    'OAuthCallbackProps.onError',
    'OAuthCallbackProps.redirectUrl',
    'OAuthCallbackProps.showCloseButton',
  ],
  'useIdentity()': [
    'useIdentity',
    'UseIdentityOptions',
    'UseIdentityOptions.providers',
    'UseIdentityOptions.baseUrl',
    'UseIdentityOptions.callbackPath',
    'UseIdentityOptions.autoHandleCallback',
    'UseIdentityReturn',
    'UseIdentityReturn.identities',
    'UseIdentityReturn.connectedProviders',
    'UseIdentityReturn.isAuthorizing',
    'UseIdentityReturn.isLoading',
    'UseIdentityReturn.error',
    'UseIdentityReturn.pendingAuthorization',
    'UseIdentityReturn.connect',
    'UseIdentityReturn.connectWithPopup',
    'UseIdentityReturn.connectWithToken',
    'UseIdentityReturn.disconnect',
    'UseIdentityReturn.completeAuthorization',
    'UseIdentityReturn.cancelAuthorization',
    'UseIdentityReturn.isConnected',
    'UseIdentityReturn.getIdentity',
    'UseIdentityReturn.getAccessToken',
    'UseIdentityReturn.configureProvider',
  ],
  'Store and selectors': [
    'useIdentityStore',
    'useConnectedIdentities',
    'useConnectedProviders',
    'useIdentitySelector',
    'useIsProviderConnected',
    'usePendingAuthorization',
    'useIdentityLoading',
    'useIdentityError',
    'configureBuiltinProviders',
    'IdentityState',
    'IdentityActions',
    'IdentityActions.startAuthorization',
    'IdentityActions.refreshToken',
    'IdentityActions.getToken',
    'IdentityActions.clearAll',
    'IdentityActions.setError',
    'IdentityStore',
  ],
  'Types and constants': [
    'OAuthProvider',
    'OAuthToken',
    'Identity',
    'ProviderUserInfo',
    'OAuthProviderConfig',
    'AuthorizationRequest',
    'AuthorizationCallback',
    'AuthType',
    'TokenProviderConfig',
    'OAuthIdentityProviderConfig',
    'TokenIdentityProviderConfig',
    'IdentityProviderConfig',
    'IdentityProvidersConfig',
    'IdentityButtonProps',
    'IdentityConnectProps',
    'IdentityMenuProps',
    'AgentIdentityProps',
    'IdentityCardProps',
    'OAuthCallbackProps',
    'TokenStatus',
    'GITHUB_PROVIDER',
    'GOOGLE_PROVIDER',
    'KAGGLE_PROVIDER',
    'KAGGLE_TOKEN_PROVIDER',
  ],
  PKCE: ['generateCodeVerifier', 'generateCodeChallenge', 'generateState', 'generatePKCEPair'],
  'Dynamic client registration': [
    'discoverAuthorizationServer',
    'supportsDCR',
    'registerClient',
    'updateClientRegistration',
    'deleteClientRegistration',
    'getOrCreateDynamicClient',
    'loadDynamicClient',
    'saveDynamicClient',
    'removeDynamicClient',
    'getAllDynamicClients',
    'clearAllDynamicClients',
    'dynamicClientToProviderConfig',
    'AuthorizationServerMetadata',
    'ClientRegistrationRequest',
    'ClientRegistrationResponse',
    'ClientRegistrationError',
    'DynamicClient',
  ],
  'Chat and agent configuration': [
    'Chat.identityProviders',
    'Chat.onIdentityConnect',
    'Chat.onIdentityDisconnect',
    'ChatBase.connectedIdentities',
    'ChatBase.onAuthorizationRequired',
    'AgentConfiguration.identityProviders',
    'AgentConfiguration.onIdentityConnect',
    'AgentConfiguration.onIdentityDisconnect',
    'AgentDetails.identityProviders',
    'AgentDetails.onIdentityConnect',
    'AgentDetails.onIdentityDisconnect',
  ],
  'Server (Python)': [
    'POST /identity/oauth/token',
    'POST /identity/oauth/userinfo',
    'set_request_identities',
    'get_request_identities',
    'clear_request_identities',
    'IdentityContextManager',
    'get_identity_env',
    'set_request_user_jwt',
    'get_request_user_jwt',
    'clear_request_user_jwt',
  ],
} as const

export type Theirs = (typeof THEIRS)[keyof typeof THEIRS][number]

const PANEL_HEADING = 'Pass your own text. For no heading, use an AccountCard for each provider instead.'
const ALWAYS_SHOWN = 'No prop: the card shows the expiry and Reconnect when they matter.'
const FOLLOW_ACCOUNTS = 'Use useAccounts(): it changes with every connect and disconnect, in any tab.'
const ERRORS_SHOWN = 'The card shows the error and its next action. In your own UI, each provider has its own error.'
const CALLBACK_PAGE = 'No component: the broker serves a static page that passes the answer to the app and closes.'
const ONE_PROVIDER = 'Set it once, around your app. Every panel, card and button uses these providers.'
const IN_CONNECT = 'connect() does it. On your own server, authorizationRequest() makes state, verifier and challenge.'
const NO_JWT = "The app's user is not an account: authenticate() returns their session, and AgentContext has their id."

export const EQUALS: Readonly<Record<Theirs, Equal>> = {
  IdentityButton: {
    ours: ['@latchkey/react ConnectButton'],
    how: 'Connects one provider, with its key form and notices. To disconnect, use the card.',
  },
  IdentityConnect: {
    ours: ['@latchkey/react ConnectedAccounts'],
    how: 'The panel: a card for each provider, and "Disconnect all". It needs no props under LatchkeyProvider.',
  },
  IdentityMenu: {
    ours: ['@latchkey/react AccountsMenu'],
    how: 'A button with the list of accounts for the next message. Missing accounts can be connected there.',
  },
  IdentityCard: {
    ours: ['@latchkey/react AccountCard'],
    how: '<AccountCard provider="github" /> shows all accounts of the provider.',
  },
  AgentIdentity: {
    ours: ['@latchkey/react ConnectedAccounts'],
    how: 'The same panel: its cards show status, expiry and scopes, and reconnect and disconnect.',
  },
  OAuthCallback: {
    ours: ['@latchkey/core/callback callbackPage', '@latchkey/server createBroker'],
    how: CALLBACK_PAGE,
  },
  getTokenStatus: {
    ours: ['@latchkey/react StatusBadge', '@latchkey/core ConnectedAccount.status'],
    how: 'Every account has a current status. It is `expiring` only if it cannot be refreshed.',
  },
  formatDuration: {
    ours: ['@latchkey/react ExpiryLabel'],
    how: 'Renders a time element in the language of the messages.',
  },
  formatExpirationStatus: {
    ours: ['@latchkey/react ExpiryLabel', '@latchkey/react Messages.expires'],
    how: 'The text updates. Its sentence is in the message catalogue.',
  },

  'IdentityButtonProps.provider': { ours: ['@latchkey/react ConnectButtonProps.provider'], how: 'The same id.' },
  'IdentityButtonProps.clientId': {
    ours: ['@latchkey/core OAuthFactoryOptions.clientId'],
    how: 'github({ clientId }). Or leave it out: the broker sends it on the first click.',
  },
  'IdentityButtonProps.providerConfig': {
    ours: ['@latchkey/core oauth', '@latchkey/core oidc', '@latchkey/core OAuthFactoryOptions.baseUrl'],
    how: 'A provider of your own. For a self-hosted service pass baseUrl to a built-in one.',
  },
  'IdentityButtonProps.scopes': {
    ours: ['@latchkey/react ConnectButtonProps.scopes'],
    how: 'For this button. For all buttons use github({ scopes }). Granted scopes are asked for again with them.',
  },
  'IdentityButtonProps.disabled': { ours: ['@latchkey/react ConnectButtonProps.disabled'], how: 'The same.' },
  'IdentityButtonProps.size': { ours: ['@latchkey/react ConnectButtonProps.size'], how: 'The same values.' },
  'IdentityButtonProps.variant': {
    ours: ['@latchkey/react ConnectButtonProps.variant'],
    how: 'The same values. Use asChild for your own button.',
  },
  'IdentityButtonProps.onConnect': {
    ours: ['@latchkey/react ConnectButtonProps.onConnected'],
    how: 'Gets the outcome with the account, but no token.',
  },
  'IdentityButtonProps.onDisconnect': {
    ours: ['@latchkey/react DisconnectProps.onDisconnected'],
    how: 'Gets the receipt: what was revoked at the provider, and what was not.',
  },
  'IdentityButtonProps.onError': { ours: ['@latchkey/react UseConnect.error'], how: ERRORS_SHOWN },
  'IdentityConnectProps.providers': { ours: ['@latchkey/react LatchkeyProviderProps.providers'], how: ONE_PROVIDER },
  'IdentityConnectProps.layout': { ours: ['@latchkey/react ConnectedAccountsProps.layout'], how: 'The same values.' },
  'IdentityConnectProps.showHeader': { ours: ['@latchkey/react ConnectedAccountsProps.title'], how: PANEL_HEADING },
  'IdentityConnectProps.title': { ours: ['@latchkey/react ConnectedAccountsProps.title'], how: 'The same.' },
  'IdentityConnectProps.size': {
    ours: ['@latchkey/react ConnectedAccountsProps.density'],
    how: "'compact' takes less room. data-density on an element around the panel does the same.",
  },
  'IdentityConnectProps.showDescriptions': {
    ours: ['@latchkey/core OAuthFactoryOptions.description'],
    how: "Pass your own line, or github({ description: '' }) for none.",
  },
  'IdentityConnectProps.onConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityConnectProps.onDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityConnectProps.onError': { ours: ['@latchkey/react UseConnect.error'], how: ERRORS_SHOWN },
  'IdentityConnectProps.disabled': {
    ours: [],
    how: 'No prop: put the panel in a disabled fieldset, or do not render it.',
  },
  'IdentityMenuProps.providers': { ours: ['@latchkey/react LatchkeyProviderProps.providers'], how: ONE_PROVIDER },
  'IdentityMenuProps.onConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityMenuProps.onDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityMenuProps.disabled': {
    ours: ['@latchkey/react AccountsMenuProps.disabled'],
    how: 'It takes every attribute of a button.',
  },
  'AgentIdentityProps.providers': { ours: ['@latchkey/react LatchkeyProviderProps.providers'], how: ONE_PROVIDER },
  'AgentIdentityProps.title': { ours: ['@latchkey/react ConnectedAccountsProps.title'], how: 'The same.' },
  'AgentIdentityProps.showHeader': { ours: ['@latchkey/react ConnectedAccountsProps.title'], how: PANEL_HEADING },
  'AgentIdentityProps.showDescription': {
    ours: ['@latchkey/react ConnectedAccountsProps.description'],
    how: 'Pass null for none.',
  },
  'AgentIdentityProps.description': {
    ours: ['@latchkey/react ConnectedAccountsProps.description'],
    how: 'The same.',
  },
  'AgentIdentityProps.showExpirationDetails': {
    ours: ['@latchkey/react ExpiryLabel'],
    how: 'The card shows the expiry when it matters. ExpiryLabel shows it anywhere.',
  },
  'AgentIdentityProps.allowReconnect': { ours: ['@latchkey/react Account.Reconnect'], how: ALWAYS_SHOWN },
  'AgentIdentityProps.onConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'AgentIdentityProps.onDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'AgentIdentityProps.onError': { ours: ['@latchkey/react UseConnect.error'], how: ERRORS_SHOWN },
  'IdentityCardProps.identity': {
    ours: ['@latchkey/react AccountCardProps.provider'],
    how: 'Pass the provider id; the card shows all of its accounts.',
  },
  'IdentityCardProps.providerConfig': { ours: ['@latchkey/react LatchkeyProviderProps.providers'], how: ONE_PROVIDER },
  'IdentityCardProps.showExpirationDetails': {
    ours: ['@latchkey/react ExpiryLabel'],
    how: 'The card shows the expiry when it matters. ExpiryLabel shows it anywhere.',
  },
  'IdentityCardProps.allowReconnect': { ours: ['@latchkey/react Account.Reconnect'], how: ALWAYS_SHOWN },
  'IdentityCardProps.onConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityCardProps.onDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityCardProps.onError': { ours: ['@latchkey/react UseConnect.error'], how: ERRORS_SHOWN },
  'OAuthCallbackProps.successMessage': { ours: ['@latchkey/core/callback callbackPage'], how: CALLBACK_PAGE },
  'OAuthCallbackProps.errorMessagePrefix': {
    ours: ['@latchkey/react LatchkeyProviderProps.messages'],
    how: 'The card shows errors, with sentences of the message catalogue.',
  },
  'OAuthCallbackProps.autoClose': { ours: ['@latchkey/core/callback callbackPage'], how: CALLBACK_PAGE },
  'OAuthCallbackProps.autoCloseDelay': { ours: ['@latchkey/core/callback callbackPage'], how: CALLBACK_PAGE },
  'OAuthCallbackProps.onSuccess': {
    ours: ['@latchkey/react ConnectButtonProps.onConnected'],
    how: 'Called on the page that started the connect.',
  },
  'OAuthCallbackProps.onError': { ours: ['@latchkey/react UseConnect.error'], how: ERRORS_SHOWN },
  'OAuthCallbackProps.redirectUrl': {
    ours: ['@latchkey/react LatchkeyProviderProps.keep', '@latchkey/react LatchkeyProviderProps.onReturn'],
    how: 'A redirect returns to the page that it left. onReturn() gets the value of keep().',
  },
  'OAuthCallbackProps.showCloseButton': { ours: ['@latchkey/core/callback callbackPage'], how: CALLBACK_PAGE },

  useIdentity: {
    ours: ['@latchkey/react useAccounts', '@latchkey/react useConnect', '@latchkey/react useToken'],
    how: 'Several hooks, so that a component renders only when its own data changes.',
  },
  UseIdentityOptions: {
    ours: ['@latchkey/core LatchkeyOptions'],
    how: 'Options of the one client, as props of LatchkeyProvider.',
  },
  'UseIdentityOptions.providers': {
    ours: ['@latchkey/react LatchkeyProviderProps.providers', '@latchkey/core/providers providersFromConfig'],
    how: 'Factories; providersFromConfig() takes the old configuration as it is.',
  },
  'UseIdentityOptions.baseUrl': {
    ours: ['@latchkey/react LatchkeyProviderProps.broker'],
    how: 'The URL of the broker, such as /api/latchkey.',
  },
  'UseIdentityOptions.callbackPath': {
    ours: ['@latchkey/core LatchkeyOptions.redirectUri'],
    how: '{broker}/callback by default. Register this URL at each provider.',
  },
  'UseIdentityOptions.autoHandleCallback': {
    ours: ['@latchkey/core LatchkeyClient.handleRedirect'],
    how: 'LatchkeyProvider calls it once on mount. It ignores a ?code of another flow.',
  },
  UseIdentityReturn: { ours: ['@latchkey/core LatchkeyClient'], how: 'useLatchkey() is the whole client.' },
  'UseIdentityReturn.identities': {
    ours: ['@latchkey/react useAccounts'],
    how: 'A ConnectedAccount for each, without tokens.',
  },
  'UseIdentityReturn.connectedProviders': {
    ours: ['@latchkey/react useIdentities.providers'],
    how: 'The ids of providers with an account that can be used now.',
  },
  'UseIdentityReturn.isAuthorizing': {
    ours: ['@latchkey/react useConnect.status'],
    how: "'connecting', for each provider separately.",
  },
  'UseIdentityReturn.isLoading': {
    ours: ['@latchkey/core Snapshot.status'],
    how: "'loading' until storage has been read.",
  },
  'UseIdentityReturn.error': { ours: ['@latchkey/react useConnect.error'], how: 'A LatchkeyError with code and next.' },
  'UseIdentityReturn.pendingAuthorization': {
    ours: ['@latchkey/react useConnect.status'],
    how: 'One per provider, not one for all.',
  },
  'UseIdentityReturn.connect': {
    ours: ['@latchkey/core ConnectOptions.mode'],
    how: "connect({ mode: 'redirect' }) leaves the page and returns to it.",
  },
  'UseIdentityReturn.connectWithPopup': {
    ours: ['@latchkey/react useConnect.connect'],
    how: 'The window opens in the click itself.',
  },
  'UseIdentityReturn.connectWithToken': {
    ours: ['@latchkey/react useConnect.connectKey', '@latchkey/react ApiKeyForm'],
    how: 'connectKey({ key }) checks the key at the provider first.',
  },
  'UseIdentityReturn.disconnect': {
    ours: ['@latchkey/react useDisconnect.disconnect'],
    how: 'By account id. Revokes at the provider; the receipt lists what was revoked.',
  },
  'UseIdentityReturn.completeAuthorization': {
    ours: ['@latchkey/core LatchkeyClient.handleRedirect'],
    how: 'Not needed: the callback page and LatchkeyProvider do it.',
  },
  'UseIdentityReturn.cancelAuthorization': { ours: ['@latchkey/react useConnect.cancel'], how: 'For one provider.' },
  'UseIdentityReturn.isConnected': {
    ours: ['@latchkey/react useAccount'],
    how: "useAccount('github') is undefined if there is none.",
  },
  'UseIdentityReturn.getIdentity': {
    ours: ['@latchkey/react useAccount'],
    how: 'By an AccountTarget: a provider id, or { accountId }.',
  },
  'UseIdentityReturn.getAccessToken': {
    ours: ['@latchkey/react useToken.getToken'],
    how: 'Refreshes once for all callers and tabs. Rejects with a LatchkeyError instead of returning null.',
  },
  'UseIdentityReturn.configureProvider': {
    ours: ['@latchkey/core LatchkeyClient.setProviders'],
    how: 'Or change the providers prop.',
  },

  useIdentityStore: {
    ours: [
      '@latchkey/react useLatchkey',
      '@latchkey/core LatchkeyClient.subscribe',
      '@latchkey/core LatchkeyClient.getSnapshot',
    ],
    how: 'The client has the store: a snapshot without secrets, and subscribe. LatchkeyProvider calls mount().',
  },
  useConnectedIdentities: { ours: ['@latchkey/react useAccounts'], how: 'The same array until an account changes.' },
  useConnectedProviders: { ours: ['@latchkey/react useIdentities.providers'], how: 'useIdentities().providers' },
  useIdentitySelector: { ours: ['@latchkey/react useAccount'], how: "useAccount('github')" },
  useIsProviderConnected: { ours: ['@latchkey/react useAccount'], how: "useAccount('github')?.status === 'connected'" },
  usePendingAuthorization: { ours: ['@latchkey/react useConnect.status'], how: "useConnect('github').status" },
  useIdentityLoading: {
    ours: ['@latchkey/core Snapshot.status'],
    how: 'useLatchkey().getSnapshot().status; a card shows it itself.',
  },
  useIdentityError: { ours: ['@latchkey/react useConnect.error'], how: "useConnect('github').error" },
  configureBuiltinProviders: { ours: ['@latchkey/react LatchkeyProviderProps.providers'], how: ONE_PROVIDER },
  IdentityState: { ours: ['@latchkey/core Snapshot'], how: 'Immutable, and without secrets.' },
  IdentityActions: { ours: ['@latchkey/core LatchkeyClient'], how: 'Methods of the client.' },
  'IdentityActions.startAuthorization': {
    ours: ['@latchkey/core LatchkeyClient.connectLink'],
    how: 'A URL to open elsewhere in this browser.',
  },
  'IdentityActions.refreshToken': {
    ours: ['@latchkey/core LatchkeyClient.getToken', '@latchkey/core LatchkeyClient.reportInvalidToken'],
    how: 'getToken() refreshes if needed. After a 401 call reportInvalidToken(), which refreshes at once.',
  },
  'IdentityActions.getToken': {
    ours: ['@latchkey/core LatchkeyClient.getToken'],
    how: 'minValidity (60 seconds) replaces the five minutes.',
  },
  'IdentityActions.clearAll': {
    ours: ['@latchkey/core LatchkeyClient.disconnectAll', '@latchkey/core LatchkeyClient.signOut'],
    how: 'disconnectAll() also revokes. signOut() only removes them from this browser.',
  },
  'IdentityActions.setError': { ours: [], how: 'Not needed: the next connect clears the error of its provider.' },
  IdentityStore: { ours: ['@latchkey/core LatchkeyClient'], how: 'createLatchkey() makes one outside of React.' },

  OAuthProvider: {
    ours: ['@latchkey/core OAuthProvider'],
    how: 'A provider here is data, not an id. Ids are strings.',
  },
  OAuthToken: {
    ours: ['@latchkey/core LatchkeyClient.getToken'],
    how: 'Pages get one access token as a string, and never the rest.',
  },
  Identity: {
    ours: ['@latchkey/core ConnectedAccount', '@latchkey/core Identity'],
    how: 'ConnectedAccount has the facts to show. Identity is only for the body of an agent run.',
  },
  ProviderUserInfo: {
    ours: [
      '@latchkey/core ConnectedAccount.subject',
      '@latchkey/core ConnectedAccount.username',
      '@latchkey/core ConnectedAccount.avatar',
      '@latchkey/core ConnectedAccount.url',
    ],
    how: 'On the account, with name and email.',
  },
  OAuthProviderConfig: {
    ours: ['@latchkey/core OAuthOptions', '@latchkey/core oauth'],
    how: 'oauth({ id, name, authorizationEndpoint, tokenEndpoint, … })',
  },
  AuthorizationRequest: { ours: ['@latchkey/core/server authorizationRequest'], how: IN_CONNECT },
  AuthorizationCallback: {
    ours: ['@latchkey/core/server authorizationResponse'],
    how: 'Checks state and iss before a code is used.',
  },
  AuthType: { ours: ['@latchkey/core Provider.kind'], how: "'oauth', 'api-key' or 'mcp'." },
  TokenProviderConfig: {
    ours: ['@latchkey/core ApiKeyOptions', '@latchkey/core apiKey'],
    how: 'apiKey({ id, name, keyUrl, apiBaseUrl, verify })',
  },
  OAuthIdentityProviderConfig: {
    ours: ['@latchkey/core/providers providersFromConfig'],
    how: "{ type: 'oauth', clientId, scopes } as before.",
  },
  TokenIdentityProviderConfig: {
    ours: ['@latchkey/core/providers providersFromConfig'],
    how: "{ type: 'token', token } as before.",
  },
  IdentityProviderConfig: { ours: ['@latchkey/core/providers providersFromConfig'], how: 'An entry of its argument.' },
  IdentityProvidersConfig: {
    ours: ['@latchkey/core/providers providersFromConfig', '@latchkey/react LatchkeyProviderProps.tokens'],
    how: 'Returns providers and tokens: two props of LatchkeyProvider.',
  },
  IdentityButtonProps: { ours: ['@latchkey/react ConnectButtonProps'], how: 'See its props above.' },
  IdentityConnectProps: { ours: ['@latchkey/react ConnectedAccountsProps'], how: 'See its props above.' },
  IdentityMenuProps: { ours: ['@latchkey/react AccountsMenuProps'], how: 'See its props above.' },
  AgentIdentityProps: { ours: ['@latchkey/react ConnectedAccountsProps'], how: 'See its props above.' },
  IdentityCardProps: { ours: ['@latchkey/react AccountCardProps'], how: 'See its props above.' },
  OAuthCallbackProps: { ours: ['@latchkey/core/callback callbackPage'], how: CALLBACK_PAGE },
  TokenStatus: {
    ours: ['@latchkey/core AccountStatus', '@latchkey/core Reason'],
    how: 'A status and a reason, instead of booleans.',
  },
  GITHUB_PROVIDER: { ours: ['@latchkey/core/providers github'], how: 'github()' },
  GOOGLE_PROVIDER: {
    ours: ['@latchkey/core/providers gmail', '@latchkey/core oidc'],
    how: 'gmail() for email. For another Google service use oidc() with Google as the issuer and its scopes.',
  },
  KAGGLE_PROVIDER: {
    ours: ['@latchkey/core/providers kaggle'],
    how: 'Connected by API key.',
  },
  KAGGLE_TOKEN_PROVIDER: {
    ours: ['@latchkey/core/providers kaggle'],
    how: 'kaggle() takes KGAT_ tokens, and legacy keys with a username.',
  },

  generateCodeVerifier: { ours: ['@latchkey/core/server authorizationRequest'], how: IN_CONNECT },
  generateCodeChallenge: { ours: ['@latchkey/core/server authorizationRequest'], how: IN_CONNECT },
  generateState: { ours: ['@latchkey/core/server authorizationRequest'], how: IN_CONNECT },
  generatePKCEPair: { ours: ['@latchkey/core/server authorizationRequest'], how: IN_CONNECT },

  discoverAuthorizationServer: {
    ours: ['@latchkey/core/mcp authorizationServerMetadata', '@latchkey/core/mcp discoverMcp'],
    how: 'discoverMcp() starts at the MCP server (RFC 9728), and checks the issuer.',
  },
  supportsDCR: { ours: ['@latchkey/core/mcp supports'], how: 'Lists dynamic registration and metadata documents.' },
  registerClient: {
    ours: ['@latchkey/core/mcp Registrations.register'],
    how: '(await client.mcp()).registrations.register(…)',
  },
  updateClientRegistration: {
    ours: ['@latchkey/core/mcp Registrations.update'],
    how: 'Also renews a secret that expires.',
  },
  deleteClientRegistration: {
    ours: ['@latchkey/core/mcp Registrations.delete', '@latchkey/react Registrations'],
    how: 'Deletes it here, and at the server if it supports that. `Registrations` is a UI for it.',
  },
  getOrCreateDynamicClient: {
    ours: ['@latchkey/core/mcp Registrations.getOrCreate'],
    how: 'A metadata document first, then dynamic registration; connect() calls it.',
  },
  loadDynamicClient: {
    ours: ['@latchkey/core/mcp Registrations.find'],
    how: 'By issuer; its secret is stored encrypted.',
  },
  saveDynamicClient: {
    ours: ['@latchkey/core/mcp Registrations.remember'],
    how: 'For a client that was registered elsewhere.',
  },
  removeDynamicClient: {
    ours: ['@latchkey/core/mcp Registrations.forget'],
    how: 'Here only; delete() also asks the server.',
  },
  getAllDynamicClients: { ours: ['@latchkey/core/mcp Registrations.list'], how: 'Facts, without secrets.' },
  clearAllDynamicClients: { ours: ['@latchkey/core LatchkeyClient.signOut'], how: 'Or forget() each of list().' },
  dynamicClientToProviderConfig: {
    ours: ['@latchkey/core/mcp mcp', '@latchkey/core/mcp mcpServers'],
    how: 'Not needed: a provider of kind mcp finds its own client id.',
  },
  AuthorizationServerMetadata: { ours: ['@latchkey/core/mcp McpAuthorizationServer'], how: 'RFC 8414 names.' },
  ClientRegistrationRequest: {
    ours: ['@latchkey/core/mcp RegisterOptions', '@latchkey/core/mcp AppMetadata'],
    how: 'The app prop of LatchkeyProvider.',
  },
  ClientRegistrationResponse: { ours: ['@latchkey/core/mcp RegisteredClient'], how: 'RFC 7591 names.' },
  ClientRegistrationError: { ours: ['@latchkey/core LatchkeyError'], how: "`code` is the server's error code." },
  DynamicClient: { ours: ['@latchkey/core/mcp Registration'], how: 'Facts of one registration.' },

  'Chat.identityProviders': {
    ours: ['@latchkey/core/runtimes/ai-sdk identitiesBody', '@latchkey/core/runtimes/fetch identitiesFetch'],
    how: 'The body or the fetch of your transport. It is made again for each request, also after a tool call.',
  },
  'Chat.onIdentityConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'Chat.onIdentityDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'ChatBase.connectedIdentities': {
    ours: ['@latchkey/core LatchkeyClient.getIdentities'],
    how: 'Not a prop: getIdentities() returns them when a request is sent, for accounts that this agent may use.',
  },
  'ChatBase.onAuthorizationRequired': {
    ours: ['@latchkey/react ConnectPrompt', '@latchkey/core readConnectRequest'],
    how: "Read the tool's answer and show the prompt in the chat. Continue in onConnected.",
  },
  'AgentConfiguration.identityProviders': {
    ours: ['@latchkey/react LatchkeyProviderProps.providers'],
    how: ONE_PROVIDER,
  },
  'AgentConfiguration.onIdentityConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'AgentConfiguration.onIdentityDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'AgentDetails.identityProviders': {
    ours: ['@latchkey/react useAgentAccounts', '@latchkey/react ConnectedAccounts'],
    how: 'Which accounts this agent may use. setIncluded() changes and stores it.',
  },
  'AgentDetails.onIdentityConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'AgentDetails.onIdentityDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },

  'POST /identity/oauth/token': {
    ours: ['@latchkey/server createBroker'],
    how: 'POST {broker}/token, for all configured providers. It checks session and origin, and refreshes too.',
  },
  'POST /identity/oauth/userinfo': {
    ours: ['@latchkey/server createBroker'],
    how: 'No such route: the answer of /token has the profile.',
  },
  set_request_identities: {
    ours: ['@latchkey/server Broker.agentContext', '@latchkey/server withIdentities'],
    how: 'For one call, not until it is cleared.',
  },
  get_request_identities: {
    ours: ['@latchkey/server withAccount', '@latchkey/server currentIdentities'],
    how: 'withAccount() gives a tool its account. If there is none, it throws a request that the chat shows.',
  },
  clear_request_identities: { ours: ['@latchkey/server withIdentities'], how: 'Not needed: they end with the call.' },
  IdentityContextManager: {
    ours: ['@latchkey/server AgentContext.run', '@latchkey/server AgentContext.respond'],
    how: 'respond() also keeps them for a stream that is read after the call.',
  },
  get_identity_env: { ours: ['@latchkey/server getIdentityEnv'], how: 'The same names, in a new object.' },
  set_request_user_jwt: {
    ours: ['@latchkey/server AgentContext', '@latchkey/server BrokerOptions.authenticate'],
    how: NO_JWT,
  },
  get_request_user_jwt: { ours: ['@latchkey/server AgentContext.userId'], how: NO_JWT },
  clear_request_user_jwt: { ours: ['@latchkey/server AgentContext.run'], how: NO_JWT },
}
