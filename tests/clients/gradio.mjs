// The package `@gradio/client`, as Gradio 5 and as Gradio 6 bring it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import * as gradio6 from '@gradio/client'
import * as gradio5 from 'gradio-client-1'
import { base64, greeting, key, picture, question, seen, test } from './harness.mjs'

function registerClient(name, { Client, handle_file }, url, openUrl, withKey) {
  const connect = () => Client.connect(url, { ...withKey, events: ['data', 'status'] })
  const blob = () => new Blob([readFileSync(picture)], { type: 'image/png' })

  test(`${name}: connect and the description of the interface`, async () => {
    const client = await connect()
    const { parameters, returns } = (await client.view_api()).named_endpoints['/predict']
    assert.deepEqual(parameters.map((p) => p.parameter_name), ['prompt', 'image', 'mode', 'temperature', 'top_p', 'max_tokens'])
    assert.equal(returns.length, 1)
    client.close()
  })

  test(`${name}: predict`, async () => {
    const client = await connect()
    assert.equal((await client.predict('/predict', ['Hello'])).data[0], greeting)
    assert.equal((await client.predict(0, ['Hello', null, 'instruct'])).data[0], greeting)
    assert.equal((await client.predict('/predict', { prompt: 'Hello', image: null })).data[0], greeting)
    client.close()
  })

  test(`${name}: a picture as a blob, by handle_file and as a data URI`, async () => {
    const client = await connect()
    for (const image of [blob(), handle_file(picture), handle_file(blob()), { url: `data:image/png;base64,${base64}` }]) {
      assert.equal((await client.predict('/predict', [question, image, 'instruct'])).data[0], seen)
    }
    client.close()
  })

  test(`${name}: submit gives the answer as it grows`, async () => {
    const client = await connect()
    const answers = []
    const stages = []
    const events = client.submit('/predict', ['Hello'])
    // Not by `for await`: the iterator of Gradio 5's client never says that it is done.
    while (stages.at(-1) !== 'complete') {
      const { value: event } = await events.next()
      if (event.type === 'data') answers.push(event.data[0])
      if (event.type === 'status') stages.push(event.stage)
    }
    assert.equal(answers.at(-1), greeting)
    for (let i = 1; i < answers.length; i++) assert.ok(answers[i].startsWith(answers[i - 1]))
    assert.ok(stages.includes('generating') && stages.at(-1) === 'complete')
    client.close()
  })

  test(`${name}: several calls of one client at once`, async () => {
    const client = await connect()
    const all = await Promise.all(Array.from({ length: 5 }, () => client.predict('/predict', ['Hello'])))
    for (const answer of all) assert.equal(answer.data[0], greeting)
    client.close()
  })

  test(`${name}: an error has its message`, async () => {
    const client = await connect()
    await assert.rejects(client.predict('/predict', ['Hello', { url: 'data:image/png;base64,AAAA' }]), (error) => {
      assert.equal(error.stage, 'error')
      assert.match(error.message, /picture|image/)
      return true
    })
    client.close()
  })

  test(`${name}: without the key nothing is told`, async () => {
    await assert.rejects(Client.connect(url))
    assert.ok(await Client.connect(openUrl))
  })
}

export function register({ url, openUrl }) {
  registerClient('Gradio 5', gradio5, url, openUrl, { hf_token: key })
  registerClient('Gradio 6', gradio6, url, openUrl, { token: key })
}
