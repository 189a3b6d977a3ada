import type { LanguageModelV4FunctionTool, LanguageModelV4Prompt, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { expect, test } from 'vitest'
import { createScriptedModel } from './scripted-model.ts'

const model = createScriptedModel({ chunkDelayInMs: 0 })
const tools = [
  'list_repositories',
  'list_private_repositories',
  'open_issue',
  'search_mail',
  'list_drafts',
  'delete_draft',
  'list_datasets',
  'run_datasets_skill',
  'get_metrics',
  'ask_data_processor',
].map((name): LanguageModelV4FunctionTool => ({ type: 'function', name, inputSchema: {} }))

const says = (text: string): LanguageModelV4Prompt => [{ role: 'user', content: [{ type: 'text', text }] }]

const result = (toolName: string, output: object) =>
  ({ type: 'tool-result', toolCallId: '1', toolName, output: { type: 'json', value: output as never } }) as const

async function respond(prompt: LanguageModelV4Prompt) {
  const { content } = await model.doGenerate({ prompt, tools })
  return content.map((part) => {
    if (part.type === 'tool-call') return [part.toolName, JSON.parse(part.input)]
    return part.type === 'text' ? part.text : part.type
  })
}

const answer = async (...content: ReturnType<typeof result>[]) =>
  (await respond([...says('…'), { role: 'tool', content }])).join()

test.each([
  ['List my repositories', [['list_repositories', {}]]],
  ['what are my GitHub repos?', [['list_repositories', {}]]],
  ['Search my mail for invoices', [['search_mail', { query: 'invoices' }]]],
  ['Do I have emails from Charles?', [['search_mail', { query: 'Charles' }]]],
  ['find “server rental” in my inbox', [['search_mail', { query: 'server rental' }]]],
  ['Show my inbox.', [['search_mail', { query: '' }]]],
  ['List my datasets', [['list_datasets', {}]]],
  ['my Kaggle data sets', [['list_datasets', {}]]],
  ['Run the datasets skill', [['run_datasets_skill', {}]]],
  ['Show the metrics', [['get_metrics', {}]]],
  [
    'Ask the data processor to summarize the visits',
    [['ask_data_processor', { action: 'summarize', table: 'visits' }]],
  ],
  ['List my private repositories', [['list_private_repositories', {}]]],
  [
    'Open an issue in octocat/hello-world titled “Typo, again”',
    [['open_issue', { repository: 'octocat/hello-world', title: 'Typo, again', body: '' }]],
  ],
  [
    'open an issue in octocat/hello-world titled Typo and more saying It says helo.',
    [['open_issue', { repository: 'octocat/hello-world', title: 'Typo and more', body: 'It says helo.' }]],
  ],
  ['List my drafts', [['list_drafts', {}]]],
  ['Delete the draft Re: Lunch next week?', [['list_drafts', {}]]],
  ['Search my mail for Kaggle datasets', [['search_mail', { query: 'Kaggle datasets' }]]],
])('%s', async (text, calls) => {
  expect(await respond(says(text))).toEqual(calls)
})

test('several questions in one message call several tools', async () => {
  expect(await respond(says('List my repositories, my datasets and search my mail for invoices.'))).toEqual([
    ['list_repositories', {}],
    ['list_datasets', {}],
    ['search_mail', { query: 'invoices' }],
  ])
})

test('a greeting is answered with a list of its abilities', async () => {
  const [text] = await respond(says('Hello!'))
  expect(text).toContain('I can list your repositories on GitHub')
})

test('a draft to delete is looked up by its subject first', async () => {
  const drafts = [
    { id: 'r1', subject: 'Index', to: 'charles@example.com' },
    { id: 'r2', subject: 'Re: Lunch next week?', to: 'mary@example.com' },
  ]
  const after = (subject: string, ...content: ReturnType<typeof result>[]) =>
    respond([...says(`Delete the draft “${subject}”`), { role: 'tool', content }])
  const listed = result('list_drafts', { drafts })
  expect(await after('re: lunch next week?', listed)).toEqual([
    ['delete_draft', { id: 'r2', subject: 'Re: Lunch next week?' }],
  ])
  expect(await after('Supper', listed)).toEqual(['I found no draft “Supper” in Gmail.'])
  expect(await after('Index', result('delete_draft', { deleted: drafts[0] }))).toEqual(['I deleted the draft “Index”.'])
})

test('calls only tools that it was given', async () => {
  const { content } = await model.doGenerate({ prompt: says('List my datasets'), tools: tools.slice(0, 1) })
  expect(content).toMatchObject([{ type: 'text' }])
})

test('answers with every item that the tools found', async () => {
  const text = await answer(
    result('list_repositories', {
      repositories: [
        { full_name: 'octocat/hello-world', description: 'My first repository', private: false },
        { full_name: 'octocat/secret', description: null, private: true },
      ],
    }),
    result('search_mail', { messages: [{ subject: 'Invoice 2041', from: 'billing@engines.example' }] }),
    result('list_datasets', { datasets: [{ title: 'Engine Trial Runs', ref: 'ada/engine-trial-runs', subtitle: '' }] }),
    result('search_mail', { messages: [] }),
  )
  expect(text).toBe(`I found 2 repositories on GitHub:
- octocat/hello-world: My first repository
- octocat/secret (private)

I found 1 message in Gmail:
- Invoice 2041, from billing@engines.example

I found 1 dataset on Kaggle:
- Engine Trial Runs (ada/engine-trial-runs)

I found no messages in Gmail.`)
})

test('m12: says which agent called which, in words', async () => {
  const [assistant, processor] = [
    'spiffe://demo.example/agents/assistant',
    'spiffe://demo.example/agents/data-processor',
  ]
  const calls = [
    { from: assistant, to: processor, action: 'summarize' },
    { from: processor, to: assistant, action: 'read rows' },
  ]
  expect(await answer(result('ask_data_processor', { calls, answer: 'orders: 4 rows.' }))).toBe(
    'The assistant asked the data processor to summarize, and the data processor asked the assistant to read rows. The answer: orders: 4 rows.',
  )
})

test('m12: says nothing of a missing account, because the page asks for it', async () => {
  const request = { type: 'authorization_required', provider: 'github' }
  const datasets = { datasets: [{ title: 'Engine Trial Runs', ref: 'ada/engine-trial-runs' }] }
  expect(await respond([...says('…'), { role: 'tool', content: [result('list_repositories', request)] }])).toEqual([])
  expect(await answer(result('list_repositories', request), result('list_datasets', datasets))).toBe(
    'I found 1 dataset on Kaggle:\n- Engine Trial Runs (ada/engine-trial-runs)',
  )
})

test.each([
  ['The person stopped this agent.', 'You stopped Mail helper or Assistant. Press “Start again”, and ask once more.'],
  ['The person stopped everything.', 'You stopped everything. Press “Start again”, and ask once more.'],
  ['The person stopped this account.', 'You stopped this account. Press “Start again”, and ask once more.'],
  ['The person paused this account.', 'You paused this account. Resume it, and ask once more.'],
  ['The person does not allow this.', "You don't let Mail helper do this. You can change that under “What it may do”."],
  ['The person said no.', 'You said no, so I did nothing.'],
  [undefined, 'You said no, so I did nothing.'],
  ['The person said no: stopped', 'You stopped it before you answered, so I did nothing.'],
  ['The person said no: not today', 'You said no, so I did nothing: “not today”'],
  ['not today', 'You said no, so I did nothing: “not today”'],
  ['no answer in time', 'You gave no answer in time, so I did nothing. Ask again if you still want it.'],
])('a refusal (%s) is said to the person who refused', async (reason, words) => {
  const denied = { type: 'execution-denied', ...(reason !== undefined && { reason }) } as const
  const failed = { type: 'error-text', value: `${reason?.replace(/[.:]/, ' (open_issue)$&')}` } as const
  const after = (output: object) =>
    respond([
      { role: 'system', content: 'You are Mail helper, a helper of Assistant.\nMore.' },
      ...says('…'),
      { role: 'tool', content: [{ ...result('open_issue', {}), output } as never] },
    ])
  expect(await after(denied)).toEqual([words])
  if (reason?.startsWith('The person')) expect(await after(failed)).toEqual([words])
})

test('says what went wrong', async () => {
  const failed = { type: 'error-text', value: 'GitHub could not be reached.' } as const
  const text = await answer({ ...result('list_repositories', {}), output: failed } as never)
  expect(text).toBe("That didn't work: GitHub could not be reached.")
})

test('streams the same answer in small chunks', async () => {
  const { stream } = await model.doStream({ prompt: says('Hello'), tools })
  const parts: LanguageModelV4StreamPart[] = []
  for await (const part of stream) parts.push(part)
  const deltas = parts.flatMap((part) => (part.type === 'text-delta' ? part.delta : []))
  expect(deltas.length).toBeGreaterThan(10)
  expect([deltas.join('')]).toEqual(await respond(says('Hello')))
  expect(parts.at(-1)).toMatchObject({ type: 'finish', finishReason: { unified: 'stop' } })
})
