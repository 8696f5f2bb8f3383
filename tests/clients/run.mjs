import { key, registered, runTests, startServer } from './harness.mjs'

const all = ['openai', 'anthropic', 'gradio', 'ai', 'scripts']
const wanted = process.argv.length > 2 ? process.argv.slice(2) : all

let failed = 0
let passed = 0
process.on('unhandledRejection', (error) => {
  failed += 1
  console.log(`  FAIL  an error that nobody waited for\n${error?.stack ?? error}`)
})

const keyed = await startServer('--api-key', key)
const open = await startServer()
try {
  for (const client of wanted) {
    const { register } = await import(`./${client}.mjs`)
    await register({ url: keyed.url, openUrl: open.url })
    const count = registered()
    const bad = await runTests(client)
    failed += bad
    passed += count - bad
  }
} finally {
  await Promise.all([keyed.stop(), open.stop()])
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
