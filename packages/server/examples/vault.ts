import { github, gmail } from '@latchkey/core/providers'
import { createBroker } from '@latchkey/server'
import type { Vault } from '@latchkey/server/vault'

interface Session {
  id: string
  userId: string
}

/** A broker that keeps tokens and keys itself. In the app: `vault: await vaultFromEnv()`. */
export function createVaultBroker(vault: Vault, authenticate: (request: Request) => Promise<Session | null>) {
  const broker = createBroker({
    vault,
    providers: [github(), gmail()],
    authenticate,
    owner: ({ id, userId }) => ({ user: userId, session: id }),
    allowedOrigins: ['https://app.example'],
    // The providers that each agent may ever use.
    agents: { assistant: { providers: ['github', 'gmail'] } },
  })
  // Refreshes tokens before they end.
  broker.start()
  return broker
}

/** A run of the agent. Its request contains references to accounts, and no token. */
export async function run<Answer>(
  request: Request,
  broker: ReturnType<typeof createVaultBroker>,
  answer: (body: Record<string, unknown>) => Promise<Answer>,
): Promise<Answer> {
  const { context, body } = await broker.agentContext(request, await request.json(), { agent: 'assistant' })
  return context.run(() => answer(body))
}
