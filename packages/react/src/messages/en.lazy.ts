/** The English sentences of what is loaded on intent: no page loads them before somebody needs them. */
export const laterEnglish = {
  consentTitle: (name: string) => `What may your agent do at ${name}?`,
  /** `account` is given when more is asked for than it has. */
  consentBody: (name: string, account?: string) =>
    `${account ? `You are about to give it more access to ${account}. ` : ''}${name} asks you once more, and you can take it back at any time.`,
  consentNeeded: 'Needed to connect',
  consentGranted: 'Allowed already',
  consentChoice: 'Your choice',
  consentMore: 'New',
  consentNothing: 'Choose what to allow first.',
  consentContinue: (name: string) => `Continue to ${name}`,

  keyFailed: 'Connecting failed in a way nobody expected.',
  reveal: 'Show what is typed',
  chooseFile: (file: string) => `Choose ${file}`,
  fileShort: 'file',
  selectPrompt: 'Choose…',
  fieldPattern: (label: string) => `${label}: this does not look right. Check that you copied all of it.`,
  fieldUrl: (label: string) => `Enter the ${label} as a web address that begins with https://.`,
  fieldJson: (label: string) => `This is not the whole ${label}. Paste all of it, from the first { to the last }.`,
  fieldJsonHint: 'Paste it whole, or drop the file here.',
  rotateForm: (name: string, account: string) => `Replace the key of ${account} at ${name}`,
  rotateHint: (account: string) => `The key of ${account} stays in use until the new one is checked.`,
  rotateUnchecked: (name: string) => `${name} could not check this key now, so nothing was changed. Try again.`,

  clientIdTitle: (name: string) => `${name} registers no apps by itself`,
  clientIdBody: (host: string) =>
    `Register this app at ${host} with the redirect address below, then enter the client ID that you are given there.`,
  clientIdLabel: 'Client ID',
  clientIdRedirect: 'Redirect address',
  clientIdMissing: 'Enter the client ID.',
  clientIdWrong: 'A client ID has no line breaks or invisible characters in it. Copy it again.',
  clientIdUnreachable: (name: string) => `The login server of ${name} could not be reached.`,
  copyShort: 'Copy',
  copied: 'Copied',

  accountsMenu: 'Accounts',
  accountsMenuName: (names: string) =>
    names ? `Accounts: the next message carries ${names}` : 'Accounts: the next message carries none',
  accountsMenuTitle: 'Used for the next message',
  accountsMenuAvailable: 'Not connected',
  accountsMenuManage: 'Manage accounts',
  /** Beside the host of a server that nobody signs in to. */
  addServerTaken: (name: string) => `The name ${name} is taken. Give the server another one.`,
  /** `place`: the host of a server on the network, or the program that runs beside the agent. */
  addServerGives: (name: string, place: string) => `Your ${name} account is given to ${place}.`,
  serverKinds: {
    open: 'No login',
    headers: 'Headers of its own',
    command: 'Runs beside the agent',
  } as Record<string, string>,
  deleteRegistrationTitle: (host: string) => `Delete the registration at ${host}?`,
  deleteRegistrationBody: (host: string) =>
    `Accounts of servers that sign in at ${host} have to be connected again, and this app is registered there anew then.`,
  registrationDeleted: (host: string) => `The registration at ${host} is deleted.`,
}
