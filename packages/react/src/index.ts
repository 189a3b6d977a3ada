// The public surface of @latchkey/react: named exports only, by hand.

export { ApiKeyForm, type ApiKeyFormProps } from './connect/api-key-form.tsx'
export { ConnectButton, type ConnectButtonProps } from './connect/connect-button.tsx'
export { ConnectPrompt, type ConnectPromptProps } from './connect/connect-prompt.tsx'
export { ForeignPrompt, type ForeignPromptProps } from './connect/foreign-prompt.tsx'
export type { ConnectIntent } from './connect/start.ts'
export { ConsentDialog, type ConsentDialogProps } from './dialogs/consent-dialog.tsx'
export { type ConsentItem, type UseConsent, type UseConsentOptions, useConsent } from './dialogs/consent-items.ts'
export { DifferentAccountDialog, type DifferentAccountDialogProps } from './dialogs/different-account-dialog.tsx'
export { DisconnectDialog, type DisconnectDialogProps } from './dialogs/disconnect-dialog.tsx'
export {
  type UseAgentAccounts,
  type UseDisconnect,
  type UseIdentities,
  type UseToken,
  useAccount,
  useAccounts,
  useAgentAccounts,
  useDisconnect,
  useIdentities,
  useLatchkey,
  usePendingRequests,
  useToken,
} from './hooks.ts'
export { AddMcpServer, type AddMcpServerProps } from './mcp/add-mcp-server.tsx'
export type { McpServerExample } from './mcp/add-server.lazy.tsx'
export { Registrations, type RegistrationsProps } from './mcp/registrations.tsx'
export { type UseMcpServers, type UseMcpServersOptions, useMcpServers } from './mcp/use-mcp-servers.ts'
export { AccountSwitcher, type AccountSwitcherProps } from './menu/account-switcher.tsx'
export { AccountsMenu, type AccountsMenuProps } from './menu/accounts-menu.tsx'
export type { MessageOverrides, Messages } from './messages/messages.ts'
export { AccountCard, type AccountCardProps } from './panel/account-card.tsx'
export { AccountDetails, type AccountDetailsProps } from './panel/account-details.tsx'
export { ConnectedAccounts, type ConnectedAccountsProps } from './panel/connected-accounts.tsx'
export type { DisconnectProps, ExpiryProps, PartProps, RootProps, SwitcherProps } from './parts/account.tsx'
/** The parts of an account, without looks: compose a card of your own from them, inside of `Account.Root`. */
export * as Account from './parts/account.tsx'
export { ExpiryLabel, type ExpiryLabelProps } from './parts/expiry-label.tsx'
export { StatusBadge, type StatusBadgeProps } from './parts/status-badge.tsx'
export { LatchkeyProvider, type LatchkeyProviderProps } from './provider.tsx'
export { type ConnectResult, type UseConnect, useConnect } from './use-connect.ts'
export { errorSentence, useMessages } from './use-messages.ts'
