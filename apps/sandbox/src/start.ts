import { startSandbox } from './index.ts'

const { env } = process
const origins = env.APP_ORIGINS ?? 'http://localhost:5173,http://127.0.0.1:5173'
const { github, google, kaggle, metrics, close } = await startSandbox({
  appOrigins: origins.split(',').map((origin) => origin.trim()),
  ports: {
    github: Number(env.GITHUB_PORT ?? 4101),
    google: Number(env.GOOGLE_PORT ?? 4102),
    kaggle: Number(env.KAGGLE_PORT ?? 4103),
    metrics: Number(env.METRICS_PORT ?? 4104),
  },
})
const { username, key, token } = kaggle.credentials

console.log(`Sandbox is ready.
  GitHub stand-in  ${github.url}
  Google stand-in  ${google.url}
  Kaggle stand-in  ${kaggle.url}
  Metrics service  ${metrics.url}

Sandbox credentials for Kaggle (made up, good until this program ends):
  kaggle.json      ${JSON.stringify({ username, key })}
  API token        ${token}
  More tokens      ${kaggle.url}/settings/account
`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close())
