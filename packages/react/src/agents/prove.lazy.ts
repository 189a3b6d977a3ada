/** How a gesture with a passkey ended, if there is no proof. */
export type Unproven = 'cancelled' | 'unsupported'

/** Asks the person for their passkey. Resolves to what it signed, as JSON. @see WebAuthn Level 3, §5.1.4 */
export async function prove(options: object): Promise<{ proof: object } | Unproven> {
  const { PublicKeyCredential: Credential, navigator } = globalThis
  // Absent in old browsers, and on pages that are not secure.
  if (!Credential?.parseRequestOptionsFromJSON || !navigator.credentials) return 'unsupported'
  const publicKey = Credential.parseRequestOptionsFromJSON(options as PublicKeyCredentialRequestOptionsJSON)
  try {
    const credential = await navigator.credentials.get({ publicKey })
    return credential instanceof Credential ? { proof: credential.toJSON() } : 'cancelled'
  } catch (error) {
    // They closed it, or took too long, or have the passkey elsewhere: browsers do not tell these apart.
    if (error instanceof DOMException && ['NotAllowedError', 'AbortError'].includes(error.name)) return 'cancelled'
    throw error
  }
}
