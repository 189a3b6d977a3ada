// The public surface of @latchkey/react: named exports only, by hand.
export type { DisconnectProps, ExpiryProps, PartProps, RootProps, SwitcherProps } from './account.tsx'
export * as Account from './account.tsx'
export { AccountCard, type AccountCardProps } from './account-card.tsx'
export { AccountDetails, type AccountDetailsProps } from './account-details.tsx'
export { AccountSwitcher, type AccountSwitcherProps } from './account-switcher.tsx'
export { AccountsMenu, type AccountsMenuProps } from './accounts-menu.tsx'
export { AddMcpServer, type AddMcpServerProps } from './add-mcp-server.tsx'
export { ApiKeyForm, type ApiKeyFormProps } from './api-key-form.tsx'
export type { ConnectIntent } from './connect-button.tsx'
export { ConnectPrompt, type ConnectPromptProps } from './connect-prompt.tsx'
export { ConnectedAccounts, type ConnectedAccountsProps } from './connected-accounts.tsx'
export { useConsent } from './consent.ts'
export { ConsentDialog, type ConsentDialogProps } from './consent-dialog.tsx'
export type { ConsentItem, UseConsent, UseConsentOptions } from './consent-items.ts'
export { LatchkeyProvider, type LatchkeyProviderProps, useLatchkey } from './context.tsx'
export { DifferentAccountDialog, type DifferentAccountDialogProps } from './different-account-dialog.tsx'
export { DisconnectDialog, type DisconnectDialogProps } from './disconnect-dialog.tsx'
export { ExpiryLabel, type ExpiryLabelProps } from './expiry-label.tsx'
export {
  type ConnectResult,
  type UseAgentAccounts,
  type UseConnect,
  type UseDisconnect,
  type UseIdentities,
  type UseToken,
  useAccount,
  useAccounts,
  useAgentAccounts,
  useConnect,
  useDisconnect,
  useIdentities,
  usePendingRequests,
  useToken,
} from './hooks.ts'
export type { MessageOverrides, Messages } from './messages.ts'
export { Registrations, type RegistrationsProps } from './registrations.tsx'
export { ConnectButton, type ConnectButtonProps } from './standalone-button.tsx'
export { StatusBadge, type StatusBadgeProps } from './status-badge.tsx'
