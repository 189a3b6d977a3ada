export { buildPage as default } from './demo-server.ts'
