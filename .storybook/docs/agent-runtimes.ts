// The identity surface of agent-runtimes 1.0.10, name by name, and what takes each name's place in Latchkey. The page
// "Migrating from agent-runtimes" is made from it; its test fails for a name of ours that does not exist.

/** Where a name of ours is imported from. */
export type Entry =
  | '@latchkey/core'
  | '@latchkey/core/callback'
  | '@latchkey/core/mcp'
  | '@latchkey/core/providers'
  | '@latchkey/core/runtimes/ai-sdk'
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

const PANEL_HEADING = 'Pass your own text. For no heading at all, put an AccountCard per provider where you like.'
const ALWAYS_SHOWN = 'No prop: the card says when an account ends, and offers Reconnect, whenever that matters.'
const FOLLOW_ACCOUNTS = 'Follow the accounts: useAccounts() changes for a connect in any tab, wherever it was started.'
const ERRORS_SHOWN = 'The card shows it and the way on. In your own UI it belongs to the one provider it is about.'
const CALLBACK_PAGE = 'No component: a static page under 1 kB, served by the broker, hands the answer over and closes.'
const ONE_PROVIDER = 'Once, above everything: its providers are those of every panel, card and button below.'
const IN_CONNECT =
  'connect() does it. On a server of your own, authorizationRequest() makes state, verifier and challenge.'
const NO_JWT = 'The person of the app is not an account: authenticate() finds them, and AgentContext carries the id.'

export const EQUALS: Readonly<Record<Theirs, Equal>> = {
  IdentityButton: {
    ours: ['@latchkey/react ConnectButton'],
    how: 'Connects one provider, with its key form, a blocked window and waiting. Disconnecting is on the card.',
  },
  IdentityConnect: {
    ours: ['@latchkey/react ConnectedAccounts'],
    how: 'The panel: a card per provider, with Disconnect all. Put it under LatchkeyProvider and pass nothing.',
  },
  IdentityMenu: {
    ours: ['@latchkey/react AccountsMenu'],
    how: 'A button that opens the list of what goes with the next message; missing accounts are connected there.',
  },
  IdentityCard: {
    ours: ['@latchkey/react AccountCard'],
    how: '<AccountCard provider="github" /> finds its accounts itself, several of one provider too.',
  },
  AgentIdentity: {
    ours: ['@latchkey/react ConnectedAccounts'],
    how: 'The same panel: status, expiry, scopes, reconnect and disconnect are on its cards.',
  },
  OAuthCallback: {
    ours: ['@latchkey/core/callback callbackPage', '@latchkey/server createBroker'],
    how: CALLBACK_PAGE,
  },
  getTokenStatus: {
    ours: ['@latchkey/react StatusBadge', '@latchkey/core ConnectedAccount.status'],
    how: 'Every account has a status, kept up to date; it is expiring only when nothing can refresh it.',
  },
  formatDuration: { ours: ['@latchkey/react ExpiryLabel'], how: 'Renders a time element in the words of the browser.' },
  formatExpirationStatus: {
    ours: ['@latchkey/react ExpiryLabel', '@latchkey/react Messages.expires'],
    how: 'Live text; its sentence is in the catalogue.',
  },

  'IdentityButtonProps.provider': { ours: ['@latchkey/react ConnectButtonProps.provider'], how: 'The same id.' },
  'IdentityButtonProps.clientId': {
    ours: ['@latchkey/core OAuthFactoryOptions.clientId'],
    how: 'github({ clientId }), or leave it to the broker, which names it on the first click.',
  },
  'IdentityButtonProps.providerConfig': {
    ours: ['@latchkey/core oauth', '@latchkey/core oidc', '@latchkey/core OAuthFactoryOptions.baseUrl'],
    how: 'A provider of your own; baseUrl moves a known one to a self-hosted service.',
  },
  'IdentityButtonProps.scopes': {
    ours: ['@latchkey/react ConnectButtonProps.scopes'],
    how: 'For this button; github({ scopes }) for all. What was granted already is asked for again with them.',
  },
  'IdentityButtonProps.disabled': { ours: ['@latchkey/react ConnectButtonProps.disabled'], how: 'The same.' },
  'IdentityButtonProps.size': { ours: ['@latchkey/react ConnectButtonProps.size'], how: 'The same words.' },
  'IdentityButtonProps.variant': {
    ours: ['@latchkey/react ConnectButtonProps.variant'],
    how: 'The same words; asChild for a button of your own.',
  },
  'IdentityButtonProps.onConnect': {
    ours: ['@latchkey/react ConnectButtonProps.onConnected'],
    how: 'Gets the outcome with the account. There is no token in it.',
  },
  'IdentityButtonProps.onDisconnect': {
    ours: ['@latchkey/react DisconnectProps.onDisconnected'],
    how: 'Gets the receipt: what was revoked at the provider, and what was not.',
  },
  'IdentityButtonProps.onError': { ours: ['@latchkey/react UseConnect.error'], how: ERRORS_SHOWN },
  'IdentityConnectProps.providers': { ours: ['@latchkey/react LatchkeyProviderProps.providers'], how: ONE_PROVIDER },
  'IdentityConnectProps.layout': { ours: ['@latchkey/react ConnectedAccountsProps.layout'], how: 'The same words.' },
  'IdentityConnectProps.showHeader': { ours: ['@latchkey/react ConnectedAccountsProps.title'], how: PANEL_HEADING },
  'IdentityConnectProps.title': { ours: ['@latchkey/react ConnectedAccountsProps.title'], how: 'The same.' },
  'IdentityConnectProps.size': {
    ours: ['@latchkey/react ConnectedAccountsProps.density'],
    how: "'compact' takes less room; a data-density around the panel does the same.",
  },
  'IdentityConnectProps.showDescriptions': {
    ours: ['@latchkey/core OAuthFactoryOptions.description'],
    how: "github({ description: '' }) for none, or your own line.",
  },
  'IdentityConnectProps.onConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityConnectProps.onDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityConnectProps.onError': { ours: ['@latchkey/react UseConnect.error'], how: ERRORS_SHOWN },
  'IdentityConnectProps.disabled': {
    ours: [],
    how: 'No prop: put the panel in a fieldset that is disabled, or do not render it.',
  },
  'IdentityMenuProps.providers': { ours: ['@latchkey/react LatchkeyProviderProps.providers'], how: ONE_PROVIDER },
  'IdentityMenuProps.onConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityMenuProps.onDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityMenuProps.disabled': {
    ours: ['@latchkey/react AccountsMenuProps.disabled'],
    how: 'It is a button: it takes every attribute of one.',
  },
  'AgentIdentityProps.providers': { ours: ['@latchkey/react LatchkeyProviderProps.providers'], how: ONE_PROVIDER },
  'AgentIdentityProps.title': { ours: ['@latchkey/react ConnectedAccountsProps.title'], how: 'The same.' },
  'AgentIdentityProps.showHeader': { ours: ['@latchkey/react ConnectedAccountsProps.title'], how: PANEL_HEADING },
  'AgentIdentityProps.showDescription': {
    ours: ['@latchkey/react ConnectedAccountsProps.description'],
    how: 'description={null} for none.',
  },
  'AgentIdentityProps.description': {
    ours: ['@latchkey/react ConnectedAccountsProps.description'],
    how: 'The same.',
  },
  'AgentIdentityProps.showExpirationDetails': {
    ours: ['@latchkey/react ExpiryLabel'],
    how: 'The card says when an account ends whenever that matters; the label says it anywhere.',
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
    how: 'The card says when an account ends whenever that matters; the label says it anywhere.',
  },
  'IdentityCardProps.allowReconnect': { ours: ['@latchkey/react Account.Reconnect'], how: ALWAYS_SHOWN },
  'IdentityCardProps.onConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityCardProps.onDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'IdentityCardProps.onError': { ours: ['@latchkey/react UseConnect.error'], how: ERRORS_SHOWN },
  'OAuthCallbackProps.successMessage': { ours: ['@latchkey/core/callback callbackPage'], how: CALLBACK_PAGE },
  'OAuthCallbackProps.errorMessagePrefix': {
    ours: ['@latchkey/react LatchkeyProviderProps.messages'],
    how: 'Errors are said on the card, in the words of the catalogue.',
  },
  'OAuthCallbackProps.autoClose': { ours: ['@latchkey/core/callback callbackPage'], how: CALLBACK_PAGE },
  'OAuthCallbackProps.autoCloseDelay': { ours: ['@latchkey/core/callback callbackPage'], how: CALLBACK_PAGE },
  'OAuthCallbackProps.onSuccess': {
    ours: ['@latchkey/react ConnectButtonProps.onConnected'],
    how: 'On the page that asked.',
  },
  'OAuthCallbackProps.onError': { ours: ['@latchkey/react UseConnect.error'], how: ERRORS_SHOWN },
  'OAuthCallbackProps.redirectUrl': {
    ours: ['@latchkey/react LatchkeyProviderProps.keep', '@latchkey/react LatchkeyProviderProps.onReturn'],
    how: 'A redirect comes back to the page that was left; what keep() gave then comes to onReturn().',
  },
  'OAuthCallbackProps.showCloseButton': { ours: ['@latchkey/core/callback callbackPage'], how: CALLBACK_PAGE },

  useIdentity: {
    ours: ['@latchkey/react useAccounts', '@latchkey/react useConnect', '@latchkey/react useToken'],
    how: 'A hook per question, so a component renders only for what it asked.',
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
    how: 'The address of the broker, such as /api/latchkey.',
  },
  'UseIdentityOptions.callbackPath': {
    ours: ['@latchkey/core LatchkeyOptions.redirectUri'],
    how: 'Default: {broker}/callback. Register that address at each provider.',
  },
  'UseIdentityOptions.autoHandleCallback': {
    ours: ['@latchkey/core LatchkeyClient.handleRedirect'],
    how: 'LatchkeyProvider calls it once on mount. It never takes a ?code that is not its own.',
  },
  UseIdentityReturn: { ours: ['@latchkey/core LatchkeyClient'], how: 'useLatchkey() is the whole client.' },
  'UseIdentityReturn.identities': {
    ours: ['@latchkey/react useAccounts'],
    how: 'A ConnectedAccount each, without tokens.',
  },
  'UseIdentityReturn.connectedProviders': {
    ours: ['@latchkey/react useIdentities.providers'],
    how: 'Ids of the providers that have an account which can be used now.',
  },
  'UseIdentityReturn.isAuthorizing': {
    ours: ['@latchkey/react useConnect.status'],
    how: "'connecting', for one provider: the others stay usable.",
  },
  'UseIdentityReturn.isLoading': { ours: ['@latchkey/core Snapshot.status'], how: "'loading' until storage was read." },
  'UseIdentityReturn.error': { ours: ['@latchkey/react useConnect.error'], how: 'A LatchkeyError with code and next.' },
  'UseIdentityReturn.pendingAuthorization': {
    ours: ['@latchkey/react useConnect.status'],
    how: 'One per provider, not one for all.',
  },
  'UseIdentityReturn.connect': {
    ours: ['@latchkey/core ConnectOptions.mode'],
    how: "connect({ mode: 'redirect' }) leaves the page and comes back to it.",
  },
  'UseIdentityReturn.connectWithPopup': {
    ours: ['@latchkey/react useConnect.connect'],
    how: 'The window opens in the click itself.',
  },
  'UseIdentityReturn.connectWithToken': {
    ours: ['@latchkey/react useConnect.connectKey', '@latchkey/react ApiKeyForm'],
    how: 'connectKey({ key }). The provider is asked about the key before it counts as connected.',
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
    how: "useAccount('github') is undefined while there is none.",
  },
  'UseIdentityReturn.getIdentity': {
    ours: ['@latchkey/react useAccount'],
    how: 'By an AccountTarget: a provider id, or { accountId }.',
  },
  'UseIdentityReturn.getAccessToken': {
    ours: ['@latchkey/react useToken.getToken'],
    how: 'Refreshed once for all callers and tabs. Rejects with a LatchkeyError instead of null.',
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
  IdentityState: { ours: ['@latchkey/core Snapshot'], how: 'Immutable, and never a secret.' },
  IdentityActions: { ours: ['@latchkey/core LatchkeyClient'], how: 'Methods of the client.' },
  'IdentityActions.startAuthorization': {
    ours: ['@latchkey/core LatchkeyClient.connectLink'],
    how: 'A URL to open elsewhere in this browser.',
  },
  'IdentityActions.refreshToken': {
    ours: ['@latchkey/core LatchkeyClient.getToken', '@latchkey/core LatchkeyClient.reportInvalidToken'],
    how: 'getToken() refreshes when it has to; report a 401 and it refreshes at once.',
  },
  'IdentityActions.getToken': {
    ours: ['@latchkey/core LatchkeyClient.getToken'],
    how: 'minValidity (60 s) takes the place of the five minutes.',
  },
  'IdentityActions.clearAll': {
    ours: ['@latchkey/core LatchkeyClient.disconnectAll', '@latchkey/core LatchkeyClient.signOut'],
    how: 'disconnectAll() also revokes; signOut() only forgets, when the person leaves the app.',
  },
  'IdentityActions.setError': { ours: [], how: 'Not needed: the next connect clears the error of its provider.' },
  IdentityStore: { ours: ['@latchkey/core LatchkeyClient'], how: 'createLatchkey() makes one outside of React.' },

  OAuthProvider: {
    ours: ['@latchkey/core OAuthProvider'],
    how: 'A provider here is data, not an id. Ids are strings.',
  },
  OAuthToken: {
    ours: ['@latchkey/core LatchkeyClient.getToken'],
    how: 'Pages get a token as a string for one request; nothing holds the rest.',
  },
  Identity: {
    ours: ['@latchkey/core ConnectedAccount', '@latchkey/core Identity'],
    how: 'ConnectedAccount for what is shown; Identity is only the wire form that an agent run carries.',
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
    how: 'gmail() for email; for another Google service oidc() with Google as the issuer and its scopes.',
  },
  KAGGLE_PROVIDER: {
    ours: ['@latchkey/core/providers kaggle'],
    how: 'Connected by API key.',
  },
  KAGGLE_TOKEN_PROVIDER: {
    ours: ['@latchkey/core/providers kaggle'],
    how: 'kaggle(): KGAT_ tokens, and legacy username and key.',
  },

  generateCodeVerifier: { ours: ['@latchkey/core/server authorizationRequest'], how: IN_CONNECT },
  generateCodeChallenge: { ours: ['@latchkey/core/server authorizationRequest'], how: IN_CONNECT },
  generateState: { ours: ['@latchkey/core/server authorizationRequest'], how: IN_CONNECT },
  generatePKCEPair: { ours: ['@latchkey/core/server authorizationRequest'], how: IN_CONNECT },

  discoverAuthorizationServer: {
    ours: ['@latchkey/core/mcp authorizationServerMetadata', '@latchkey/core/mcp discoverMcp'],
    how: 'discoverMcp() begins at the server itself (RFC 9728). The issuer of the document is checked.',
  },
  supportsDCR: { ours: ['@latchkey/core/mcp supports'], how: 'Says dynamic registration and metadata documents.' },
  registerClient: {
    ours: ['@latchkey/core/mcp Registrations.register'],
    how: '(await client.mcp()).registrations.register(…)',
  },
  updateClientRegistration: {
    ours: ['@latchkey/core/mcp Registrations.update'],
    how: 'Also renews a secret that ends.',
  },
  deleteClientRegistration: {
    ours: ['@latchkey/core/mcp Registrations.delete', '@latchkey/react Registrations'],
    how: 'At the server where it offers that, and here in every case. There is a UI for it.',
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
  ClientRegistrationError: { ours: ['@latchkey/core LatchkeyError'], how: "The server's code in code." },
  DynamicClient: { ours: ['@latchkey/core/mcp Registration'], how: 'Facts of one registration.' },

  'Chat.identityProviders': {
    ours: ['@latchkey/core/runtimes/ai-sdk identitiesBody'],
    how: 'The body of your transport: resolved anew for each request, continuations too.',
  },
  'Chat.onIdentityConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'Chat.onIdentityDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'ChatBase.connectedIdentities': {
    ours: ['@latchkey/core LatchkeyClient.getIdentities'],
    how: 'Never a prop: asked for when a request is sent, only for accounts that this agent may use.',
  },
  'ChatBase.onAuthorizationRequired': {
    ours: ['@latchkey/react ConnectPrompt', '@latchkey/core readConnectRequest'],
    how: "Read the tool's answer and show the prompt in the chat; onConnected goes on.",
  },
  'AgentConfiguration.identityProviders': {
    ours: ['@latchkey/react LatchkeyProviderProps.providers'],
    how: ONE_PROVIDER,
  },
  'AgentConfiguration.onIdentityConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'AgentConfiguration.onIdentityDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'AgentDetails.identityProviders': {
    ours: ['@latchkey/react useAgentAccounts', '@latchkey/react ConnectedAccounts'],
    how: 'Which of the accounts this agent may use; setIncluded() changes it and keeps it.',
  },
  'AgentDetails.onIdentityConnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },
  'AgentDetails.onIdentityDisconnect': { ours: ['@latchkey/react useAccounts'], how: FOLLOW_ACCOUNTS },

  'POST /identity/oauth/token': {
    ours: ['@latchkey/server createBroker'],
    how: 'POST {broker}/token: authenticated, by origin, for every provider you configure; refreshes too.',
  },
  'POST /identity/oauth/userinfo': {
    ours: ['@latchkey/server createBroker'],
    how: 'There is no such route: the profile comes with the token.',
  },
  set_request_identities: {
    ours: ['@latchkey/server Broker.agentContext', '@latchkey/server withIdentities'],
    how: 'For the time of one call, not until cleared.',
  },
  get_request_identities: {
    ours: ['@latchkey/server withAccount', '@latchkey/server currentIdentities'],
    how: 'withAccount() gives a tool its account, and throws the request that the chat shows when there is none.',
  },
  clear_request_identities: { ours: ['@latchkey/server withIdentities'], how: 'Not needed: they end with the call.' },
  IdentityContextManager: {
    ours: ['@latchkey/server AgentContext.run', '@latchkey/server AgentContext.respond'],
    how: 'respond() keeps them for a stream that is read after the call.',
  },
  get_identity_env: { ours: ['@latchkey/server getIdentityEnv'], how: 'The same names, in a new object.' },
  set_request_user_jwt: {
    ours: ['@latchkey/server AgentContext', '@latchkey/server BrokerOptions.authenticate'],
    how: NO_JWT,
  },
  get_request_user_jwt: { ours: ['@latchkey/server AgentContext.userId'], how: NO_JWT },
  clear_request_user_jwt: { ours: ['@latchkey/server AgentContext.run'], how: NO_JWT },
}
