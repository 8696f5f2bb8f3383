// The package `@anthropic-ai/sdk`: messages, streams, token counts, errors.
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { base64, greeting, key, question, seen, test } from './harness.mjs'

const tool = { name: 'weather', description: 'The weather of a city', input_schema: { type: 'object', properties: { city: { type: 'string', enum: ['Berlin', 'Paris'] } }, required: ['city'] } }
const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: base64 } }

export function register({ url }) {
  const options = { baseURL: url, maxRetries: 0 }
  const client = new Anthropic({ ...options, apiKey: key })
  const ask = { model: 'demo', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] }

  test('a message', async () => {
    const message = await client.messages.create(ask)
    assert.equal(message.content[0].text, greeting)
    assert.equal(message.stop_reason, 'end_turn')
    assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0)
  })

  test('the key as a bearer token', async () => {
    const message = await new Anthropic({ ...options, apiKey: null, authToken: key }).messages.create(ask)
    assert.equal(message.content[0].text, greeting)
  })

  test('streamed', async () => {
    const stream = client.messages.stream(ask)
    let text = ''
    stream.on('text', (piece) => (text += piece))
    const message = await stream.finalMessage()
    assert.equal(text, greeting)
    assert.equal(message.content[0].text, greeting)
    assert.equal(message.stop_reason, 'end_turn')
    assert.ok(message.usage.output_tokens > 0)
  })

  test('the events in their order', async () => {
    const types = []
    for await (const event of await client.messages.create({ ...ask, stream: true })) if (event.type !== types.at(-1)) types.push(event.type)
    assert.deepEqual(types.filter((type) => type !== 'ping'),
      ['message_start', 'content_block_start', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop'])
  })

  test('a picture', async () => {
    const message = await client.messages.create({ ...ask, messages: [{ role: 'user', content: [picture, { type: 'text', text: question }] }] })
    assert.equal(message.content[0].text, seen)
  })

  test('system, stop sequences and the length', async () => {
    const stopped = await client.messages.create({ ...ask, stop_sequences: ['demo'] })
    assert.equal(stopped.stop_reason, 'stop_sequence')
    assert.equal(stopped.stop_sequence, 'demo')
    assert.equal(stopped.content[0].text, greeting.slice(0, greeting.indexOf('demo')))
    const cut = await client.messages.create({ ...ask, max_tokens: 2, system: [{ type: 'text', text: 'Be brief.' }] })
    assert.equal(cut.stop_reason, 'max_tokens')
    assert.equal(cut.usage.output_tokens, 2)
  })

  test('thinking', async () => {
    const message = await client.messages
      .stream({ model: 'demo-thinking', max_tokens: 400, thinking: { type: 'enabled', budget_tokens: 200 }, messages: [{ role: 'user', content: 'What is 2 + 2?' }] })
      .finalMessage()
    assert.deepEqual(message.content.map((block) => block.type), ['thinking', 'text'])
    assert.ok(message.content[0].thinking.length > 0)
    const again = await client.messages.create({
      model: 'demo-thinking',
      max_tokens: 100,
      messages: [{ role: 'user', content: 'What is 2 + 2?' }, { role: 'assistant', content: message.content }, { role: 'user', content: 'Hello' }],
    })
    assert.ok(again.content.length > 0)
  })

  test('a tool that must be called', async () => {
    for (const tool_choice of [{ type: 'any', disable_parallel_tool_use: true }, { type: 'tool', name: 'weather' }]) {
      const forced = { ...ask, max_tokens: 200, tools: [tool], tool_choice }
      for (const message of [await client.messages.create(forced), await client.messages.stream(forced).finalMessage()]) {
        assert.equal(message.stop_reason, 'tool_use')
        const call = message.content.find((block) => block.type === 'tool_use')
        assert.equal(call.name, 'weather')
        assert.equal(typeof call.input.city, 'string')
      }
    }
  })

  test('structured output', async () => {
    const schema = { type: 'object', properties: { yes: { type: 'boolean' } }, required: ['yes'], additionalProperties: false }
    const message = await client.messages.create({ ...ask, output_config: { format: { type: 'json_schema', schema } } })
    assert.equal(typeof JSON.parse(message.content[0].text).yes, 'boolean')
  })

  test('tools and their results', async () => {
    const message = await client.messages.create({
      ...ask,
      tools: [tool],
      messages: [
        ...ask.messages,
        { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Berlin' } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'rain' }, picture] }, { type: 'text', text: question }] },
      ],
    })
    assert.equal(message.type, 'message')
  })

  test('count_tokens', async () => {
    const { input_tokens: few } = await client.messages.countTokens({ model: 'demo', messages: ask.messages })
    const { input_tokens: many } = await client.messages.countTokens({ model: 'demo', messages: [{ role: 'user', content: [picture] }] })
    assert.equal((await client.messages.create(ask)).usage.input_tokens, few)
    assert.ok(many > few)
  })

  test('errors have their classes', async () => {
    await assert.rejects(new Anthropic({ ...options, apiKey: 'wrong' }).messages.create(ask), (error) => {
      assert.ok(error instanceof Anthropic.AuthenticationError)
      assert.equal(error.error.type, 'error')
      assert.equal(error.error.error.type, 'authentication_error')
      return true
    })
    await assert.rejects(client.messages.create({ ...ask, model: 'claude-opus-4-1' }), Anthropic.NotFoundError)
    await assert.rejects(client.messages.create({ ...ask, max_tokens: 0 }), Anthropic.BadRequestError)
    const pdf = { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' } }
    await assert.rejects(client.messages.create({ ...ask, messages: [{ role: 'user', content: [pdf] }] }), /image blocks/)
  })
}
