import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4StreamPart,
  LanguageModelV4ToolResultPart,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'
import { readConnectRequest } from '@latchkey/core'
import { readApprovalNotice } from '@latchkey/core/agents'
import { generateId, simulateReadableStream } from 'ai'
import type { Call } from './colleague.ts'

/**
 * A language model without key and network. It chooses tools by the words of the message and builds its answer from the
 * tools' results, so everything else works as with a real model.
 */
export function createScriptedModel({ chunkDelayInMs = 18 } = {}): LanguageModelV4 {
  return {
    specificationVersion: 'v4',
    provider: 'latchkey-demo',
    modelId: 'scripted',
    supportedUrls: {},
    async doGenerate(options) {
      const content = respond(options)
      return { content, finishReason: finishReason(content), usage: NO_USAGE, warnings: [] }
    },
    async doStream(options) {
      return { stream: simulateReadableStream({ chunks: toChunks(respond(options)), chunkDelayInMs }) }
    },
  }
}

const INTRODUCTION =
  'I can list your repositories on GitHub, search your mail in Gmail and list your datasets on Kaggle. ' +
  'You can also try:\n' +
  '- “List my private repositories”\n' +
  '- “Open an issue in octocat/hello-world titled Typo in the readme”\n' +
  '- “Delete the draft Re: Lunch next week?”\n' +
  '- “List my drafts as grace@example.com”, if you have two mailboxes\n' +
  '- “Show the diagnostics”, of a tool that would give a token away\n' +
  '- “Run the datasets skill”\n' +
  '- “Use code mode to count my repositories”\n' +
  '- “Show the metrics”\n' +
  '- “Ask the data processor to summarize the orders”'

/** The next step: calls tools after a message of the person, and reports their results after a tool call. */
function respond({ prompt, tools = [] }: LanguageModelV4CallOptions): LanguageModelV4Content[] {
  const last = prompt.at(-1)
  const question = prompt.findLast(({ role }) => role === 'user')
  const said =
    question?.role === 'user' ? question.content.map((part) => (part.type === 'text' ? part.text : '')).join(' ') : ''
  if (last?.role === 'tool') {
    const results = last.content.filter((part) => part.type === 'tool-result')
    const next = deletionOf(said, results)
    if (next) return next
    const system = prompt[0]?.role === 'system' ? prompt[0].content : ''
    const text = results
      .map((result) => tell(result, system))
      .filter(Boolean)
      .join('\n\n')
    return text ? [{ type: 'text', text }] : []
  }
  const calls = [...chooseTools(said), ...chooseMcpTools(said, tools)].filter(({ toolName }) =>
    tools.some(({ name }) => name === toolName),
  )
  if (calls.length === 0) return [{ type: 'text', text: INTRODUCTION }]
  return calls.map(({ toolName, input }) => callOf(toolName, input, apiOf(tools)))
}

const callOf = (toolName: string, input: object, api = ''): LanguageModelV4Content => ({
  type: 'tool-call',
  toolCallId: generateId(),
  toolName,
  input: JSON.stringify(input).replace('{api}', api),
})

/** The deletion of the draft that the message named, once the drafts are listed. */
function deletionOf(said: string, results: LanguageModelV4ToolResultPart[]): LanguageModelV4Content[] | undefined {
  const { text, account } = accountIn(said)
  const subject = DELETION.exec(text)?.[1]
  const listed = results.find(({ toolName }) => toolName === 'list_drafts')?.output
  if (subject === undefined || listed?.type !== 'json') return undefined
  const { drafts } = listed.value as { drafts?: { id: string; subject: string }[] }
  if (!drafts) return undefined
  const found = drafts.find((draft) => draft.subject.toLowerCase() === subject.toLowerCase())
  if (!found) return [{ type: 'text', text: `I found no draft “${subject}” in Gmail.` }]
  return [callOf('delete_draft', { id: found.id, subject: found.subject, ...account })]
}

/** GitHub's API URL, from the description of the tool. */
function apiOf(tools: NonNullable<LanguageModelV4CallOptions['tools']>): string {
  const description = tools.map((tool) =>
    tool.type === 'function' && tool.name === 'run_code' ? tool.description : '',
  )
  return /fetches from (\S+)/.exec(description.join(''))?.[1] ?? 'https://api.github.com'
}

const MAIL = '(?:e-?mails?|mails?|gmail|inbox)'
// "mail for invoices", and "invoices in my mail".
const MAIL_QUERIES = [
  new RegExp(`\\b${MAIL}\\b.*?\\b(?:for|about|from)\\s+(.+)`, 'i'),
  new RegExp(`\\b(?:search|look|find|any)\\s+(?:for\\s+)?(.+?)\\s+in\\s+(?:my\\s+)?${MAIL}\\b`, 'i'),
  new RegExp(`\\b${MAIL}\\b`, 'i'),
]

/** The code for a question that asks to count. */
const COUNT = `const repositories = await tools.list_repositories({})
const { login } = await (await fetch('{api}/user')).json()
return \`\${login} has \${repositories.repositories.length} repositories\``

/** "Open an issue in octocat/hello-world titled Typo saying It says helo". */
const ISSUE =
  /\bopen an? issue (?:in|on) ([\w.-]+\/[\w.-]+) (?:titled|called) [“"]?(.+?)[”"]?(?: (?:saying|with the text) [“"]?(.+?)[”"]?)?$/i
/** "Delete the draft Re: Lunch next week?". */
const DELETION = /\bdelete (?:the|my) draft [“"]?(.+?)[”"]?$/i

/** "List my drafts as grace@example.com" names one of several mailboxes. */
function accountIn(message: string): { text: string; account: { account?: string } } {
  const [end, account] = /\s+as\s+([\w.+-]+@[\w.-]*\w)[.?!]?$/i.exec(message) ?? []
  return end === undefined || account === undefined
    ? { text: message, account: {} }
    : { text: message.slice(0, -end.length), account: { account } }
}

/** The tools that a message asks for, part by part: "list my repositories and search my mail for invoices" is two. */
function chooseTools(said: string): { toolName: string; input: object }[] {
  const { text: message, account } = accountIn(said)
  // Titles and subjects hold any words and signs.
  const [, repository, title, body = ''] = ISSUE.exec(message) ?? []
  if (repository) return [{ toolName: 'open_issue', input: { repository, title, body } }]
  if (DELETION.test(message)) return [{ toolName: 'list_drafts', input: account }]
  const calls = message
    .split(/[,;.!?]+(?:\s+|$)|\s+(?:and|then|plus)\s+/i)
    .flatMap((part): { toolName: string; input: object }[] => {
      const mail = MAIL_QUERIES.map((pattern) => pattern.exec(part)).find(Boolean)
      // The search text of a mail search chooses no other tool, such as in "mails about Kaggle".
      const rest = mail ? part.replace(mail[0], '') : part
      if (/\bdata[ -]?processor\b/i.test(rest)) return [{ toolName: 'ask_data_processor', input: summaryOf(part) }]
      if (/\bskill\b/i.test(rest)) return [{ toolName: 'run_datasets_skill', input: {} }]
      if (/\bcode\b/i.test(rest)) return [{ toolName: 'run_code', input: { code: COUNT } }]
      if (/\bdiagnostics\b/i.test(rest)) return [{ toolName: 'show_diagnostics', input: {} }]
      if (/\bmetrics\b/i.test(rest)) return [{ toolName: 'get_metrics', input: {} }]
      if (/\bdrafts\b/i.test(part)) return [{ toolName: 'list_drafts', input: account }]
      if (/\bprivate repos/i.test(rest)) return [{ toolName: 'list_private_repositories', input: {} }]
      return [
        ...(/\b(?:repositor(?:y|ies)|repos?|github)\b/i.test(rest)
          ? [{ toolName: 'list_repositories', input: {} }]
          : []),
        ...(mail
          ? [{ toolName: 'search_mail', input: { query: mail[1]?.replace(/["“”]/g, '').trim() ?? '', ...account } }]
          : []),
        ...(/\b(?:data ?sets?|kaggle)\b/i.test(rest) ? [{ toolName: 'list_datasets', input: {} }] : []),
      ]
    })
  const seen = new Set<string>()
  return calls.filter((call) => seen.size < seen.add(JSON.stringify(call)).size)
}

/** Tools of MCP servers, by the words of their names: "list notes" is `notes__list_notes`. */
function chooseMcpTools(message: string, tools: { name: string }[]): { toolName: string; input: object }[] {
  const words = new Set(message.toLowerCase().match(/[a-z]+/g) ?? [])
  return tools.flatMap(({ name }) => {
    const [server, tool] = name.split('__')
    if (!server || !tool) return []
    const meant = tool === 'connect' ? words.has(server) : tool.split('_').every((word) => words.has(word))
    return meant ? [{ toolName: name, input: {} }] : []
  })
}

/** The request to the data processor: "… to summarize the orders". */
function summaryOf(part: string) {
  const table = /\bsummari[sz]e\s+(?:(?:the|my|our|table)\s+)*([\w-]+)/i.exec(part)?.[1] ?? 'orders'
  return { action: 'summarize', table: table.toLowerCase() }
}

/** An agent's name: the last part of its SPIFFE ID. The whole ID is in the call's details. */
const nameOf = (id: string) => id.slice(id.lastIndexOf('/') + 1).replaceAll('-', ' ')

type Item = Record<string, unknown>

/** What was refused, to the person who refused it. They are told what to do if they want it after all. */
function refused(reason: string, system: string): string {
  const [, name = 'this agent', parent] = /^You are (.+?)(?:, a helper of (.+))?\.$/m.exec(system) ?? []
  const again = 'Press “Start again”, and ask once more.'
  if (/stopped everything/.test(reason)) return `You stopped everything. ${again}`
  if (/stopped this agent/.test(reason)) return `You stopped ${parent ? `${name} or ${parent}` : name}. ${again}`
  if (/stopped this account/.test(reason)) return `You stopped this account. ${again}`
  if (/paused this account/.test(reason)) return 'You paused this account. Resume it, and ask once more.'
  if (/does not allow this/.test(reason))
    return `You don't let ${name} do this. You can change that under “What it may do”.`
  const why = reason.replace(/^The person said no(?: \([^)]*\))?[:.]\s*/, '')
  if (why === 'no answer in time')
    return 'You gave no answer in time, so I did nothing. Ask again if you still want it.'
  if (why === 'stopped') return 'You stopped it before you answered, so I did nothing.'
  return why ? `You said no, so I did nothing: “${why}”` : 'You said no, so I did nothing.'
}

/** One tool's result as text. Nothing for a request: the page asks the person. */
function tell({ toolName, output }: LanguageModelV4ToolResultPart, system: string): string {
  if (output.type === 'execution-denied') return refused(output.reason ?? '', system)
  if (output.type === 'error-text') {
    if (/^The person (?:said no|does not|stopped|paused)/.test(output.value)) return refused(output.value, system)
    return whichOf(output.value) ?? `That didn't work: ${output.value}`
  }
  const value = output.type === 'json' ? output.value : null
  if (readConnectRequest(value) || readApprovalNotice(value)) return ''
  const { text } = value as { text?: unknown }
  if (toolName.includes('__') && typeof text === 'string') return `${toolName.split('__')[0]} says:\n${text}`
  const { repositories, messages, datasets, metrics } = value as Record<string, Item[] | undefined>
  const { issue, repository, deleted, drafts } = value as { repository?: string } & Record<string, unknown>
  if (issue) {
    const { number, title, html_url } = issue as Item
    return `I opened issue #${number} in ${repository}, “${title}”: ${html_url}`
  }
  if (deleted) return `I deleted the draft “${(deleted as Item).subject}”.`
  if (drafts) return list(drafts as Item[], 'draft', 'drafts', 'in Gmail', ({ subject, to }) => `${subject}, to ${to}`)
  const { authorization } = value as { authorization?: string }
  if (authorization) return `GitHub is called with “${authorization}”.`
  const { serviceAccount, value: returned } = value as { serviceAccount?: string; value?: unknown }
  if (toolName === 'run_code')
    return `The code answered: ${typeof returned === 'string' ? returned : JSON.stringify(returned)}.`
  if (toolName === 'ask_data_processor') {
    const { calls, answer } = value as unknown as { calls: Call[]; answer: string }
    const story = calls.map(({ from, to, action }) => `he ${nameOf(from)} asked the ${nameOf(to)} to ${action}`)
    return `T${story.join(', and t')}. The answer: ${answer}`
  }
  if (metrics) {
    const lines = metrics.map(({ name, value }) => `- ${String(name).replaceAll('_', ' ')}: ${value}`)
    return [`As the service account ${serviceAccount} I read:`, ...lines].join('\n')
  }
  if (repositories) {
    return list(repositories, 'repository', 'repositories', 'on GitHub', (one) =>
      [one.full_name, one.private && ' (private)', one.description && `: ${one.description}`].filter(Boolean).join(''),
    )
  }
  if (messages)
    return list(messages, 'message', 'messages', 'in Gmail', ({ subject, from }) => `${subject}, from ${from}`)
  if (datasets) {
    return list(datasets, 'dataset', 'datasets', 'on Kaggle', ({ title, ref, subtitle }) =>
      [title, ` (${ref})`, subtitle && `: ${subtitle}`].filter(Boolean).join(''),
    )
  }
  return `${toolName} is done.`
}

/** The question for one of several accounts, which the tool lists when none was named. */
function whichOf(refusal: string): string | undefined {
  const names = /Say which one/.test(refusal) ? [...refusal.matchAll(/"([^"]+)" \(id/g)].map(([, name]) => name) : []
  const last = names.at(-1)
  return (
    last &&
    `Which account: ${new Intl.ListFormat('en', { type: 'disjunction' }).format(names as string[])}? End your message with “as ${last}”.`
  )
}

function list(items: Item[], one: string, many: string, where: string, line: (item: Item) => string): string {
  if (items.length === 0) return `I found no ${many} ${where}.`
  const heading = `I found ${items.length} ${items.length === 1 ? one : many} ${where}:`
  return [heading, ...items.map((item) => `- ${line(item)}`)].join('\n')
}

const NO_USAGE: LanguageModelV4Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
}

const finishReason = (content: LanguageModelV4Content[]) =>
  ({ unified: content.some(({ type }) => type === 'tool-call') ? 'tool-calls' : 'stop', raw: undefined }) as const

/** The parts of a stream, one text delta per word. */
function toChunks(content: LanguageModelV4Content[]): LanguageModelV4StreamPart[] {
  return [
    { type: 'stream-start', warnings: [] },
    ...content.flatMap((part): LanguageModelV4StreamPart[] => {
      if (part.type !== 'text') return part.type === 'tool-call' ? [part] : []
      const id = generateId()
      const words = part.text.match(/\s*\S+/g) ?? []
      return [
        { type: 'text-start', id },
        ...words.map((delta) => ({ type: 'text-delta', id, delta }) as const),
        { type: 'text-end', id },
      ]
    }),
    { type: 'finish', finishReason: finishReason(content), usage: NO_USAGE },
  ]
}
