// Scripts without a library: the lines of Python and the shell that call /api/predict and Gradio's event routes.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { greeting, picture, question, seen, test } from './harness.mjs'

const run = promisify(execFile)

export function register({ openUrl }) {
  test('requests.post of Python, with and without a picture', async () => {
    const script = fileURLToPath(new URL('predict.py', import.meta.url))
    const { stdout } = await run('python3', [script, openUrl, picture, question])
    const [greeted, uri, bare, path] = JSON.parse(stdout)
    assert.equal(greeted, greeting)
    assert.deepEqual([uri, bare, path], [seen, seen, seen])
  })

  test('curl: call, then read the events', async () => {
    const curl = async (...args) => (await run('curl', ['-s', ...args])).stdout
    const body = JSON.stringify({ data: ['Hello', null, 'instruct'] })
    const { event_id: id } = JSON.parse(await curl('-H', 'Content-Type: application/json', '-d', body, `${openUrl}/gradio_api/call/predict`))
    const events = await curl(`${openUrl}/gradio_api/call/predict/${id}`)
    assert.ok(events.endsWith(`event: complete\ndata: ${JSON.stringify([greeting])}\n\n`), events)
  })

  test('curl: upload, then name the file', async () => {
    const { stdout } = await run('curl', ['-s', '-F', `files=@${picture}`, `${openUrl}/gradio_api/upload`])
    const [path] = JSON.parse(stdout)
    const answer = await fetch(`${openUrl}/api/predict`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ data: [question, { path, meta: { _type: 'gradio.FileData' } }] }),
    })
    assert.deepEqual((await answer.json()).data, [seen])
  })
}
