// Tests, and the servers that they talk to: one that wants a key, one that does not.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

export const key = 'sesame-open-1234567890'
export const picture = 'models/demo/samples/shapes.png'
export const base64 = readFileSync(picture).toString('base64')
export const question = 'How many objects can you see in the picture?'
export const seen = 'There are 3 objects.'
export const greeting = 'Hello! I am a tiny Qwen3-VL style demo model. I can look at simple pictures and answer questions about them.'

const tests = []
const limit = 20000
export const test = (name, body) => tests.push({ name, body })

function withLimit(promise) {
  let timer
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not done after ${limit} ms`)), limit)))
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// Runs the tests registered so far; the number of those that failed.
export async function runTests(client) {
  let failed = 0
  for (const { name, body } of tests.splice(0)) {
    try {
      await withLimit(Promise.resolve().then(body))
      console.log(`  ok    ${client}: ${name}`)
    } catch (error) {
      failed += 1
      console.log(`  FAIL  ${client}: ${name}\n${error?.stack ?? JSON.stringify(error)}`)
    }
  }
  return failed
}
export const registered = () => tests.length

// The program with these flags on a port of its own choice: { url, stop }.
export function startServer(...flags) {
  const program = process.env.QVL_BIN ?? 'build/release/qwen3vl'
  const child = spawn(program, ['serve', '--model', 'demo', '--port', '0', ...flags], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  const stop = async () => {
    child.kill('SIGTERM')
    const code = await ended
    if (code !== 0) throw new Error(`the server ended with ${code}`)
  }
  return new Promise((resolve, reject) => {
    let log = ''
    child.on('error', reject)
    ended.then((code) => reject(new Error(`the server ended with ${code}\n${log}`)))
    child.stderr.setEncoding('utf8').on('data', (text) => {
      log += text
      const ready = /ready: open (http:\S+)/.exec(log)
      if (ready) resolve({ url: ready[1], stop })
    })
  })
}
