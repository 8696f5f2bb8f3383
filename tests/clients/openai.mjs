// The package `openai`: chat, completions, responses, models, errors.
import assert from 'node:assert/strict'
import OpenAI from 'openai'
import { base64, greeting, key, question, seen, test } from './harness.mjs'

const tool = {
  type: 'function',
  function: { name: 'weather', description: 'The weather of a city', parameters: { type: 'object', properties: { city: { type: 'string', enum: ['Berlin', 'Paris'] } }, required: ['city'] } },
}
const schema = { type: 'object', properties: { yes: { type: 'boolean' } }, required: ['yes'], additionalProperties: false }
const dataUri = `data:image/png;base64,${base64}`

export function register({ url }) {
  const options = { baseURL: `${url}/v1`, maxRetries: 0 }
  const client = new OpenAI({ ...options, apiKey: key })
  const messages = [{ role: 'user', content: 'Hello' }]

  test('models', async () => {
    const ids = []
    for await (const model of client.models.list()) ids.push(model.id)
    assert.ok(ids.includes('demo'))
    assert.equal((await client.models.retrieve('demo')).id, 'demo')
  })

  test('chat', async () => {
    const answer = await client.chat.completions.create({ model: 'demo', messages })
    assert.equal(answer.choices[0].message.content, greeting)
    assert.equal(answer.choices[0].finish_reason, 'stop')
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
  })

  test('chat, streamed', async () => {
    const stream = await client.chat.completions.create({ model: 'demo', messages, stream: true, stream_options: { include_usage: true } })
    let text = ''
    let usage
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    assert.equal(text, greeting)
    assert.ok(usage.completion_tokens > 0)
  })

  test('chat, streamed through the helper', async () => {
    const answer = await client.chat.completions.stream({ model: 'demo', messages }).finalChatCompletion()
    assert.equal(answer.choices[0].message.content, greeting)
  })

  test('a picture', async () => {
    const content = [{ type: 'image_url', image_url: { url: dataUri } }, { type: 'text', text: question }]
    const answer = await client.chat.completions.create({ model: 'demo', messages: [{ role: 'user', content }] })
    assert.equal(answer.choices[0].message.content, seen)
  })

  test('a stream that is left early', async () => {
    const stream = await client.chat.completions.create({ model: 'demo', messages, stream: true })
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break
    assert.equal((await client.chat.completions.create({ model: 'demo', messages })).choices[0].message.content, greeting)
  })

  test('thinking', async () => {
    const answer = await client.chat.completions.create({ model: 'demo-thinking', messages: [{ role: 'user', content: 'What is 2 + 2?' }] })
    assert.ok(answer.choices[0].message.content.length > 0)
    assert.equal(typeof answer.choices[0].message.reasoning_content, 'string')
  })

  test('tools are accepted', async () => {
    const answer = await client.chat.completions.create({ model: 'demo', messages, tools: [tool] })
    assert.ok(['stop', 'tool_calls'].includes(answer.choices[0].finish_reason))
  })

  test('a tool that must be called', async () => {
    const choices = ['required', { type: 'function', function: { name: 'weather' } }]
    for (const tool_choice of choices) {
      const answer = await client.chat.completions.create({ model: 'demo', messages, tools: [tool], tool_choice, parallel_tool_calls: false, max_tokens: 200 })
      const [call] = answer.choices[0].message.tool_calls
      assert.equal(answer.choices[0].finish_reason, 'tool_calls')
      assert.equal(call.function.name, 'weather')
      assert.equal(typeof JSON.parse(call.function.arguments).city, 'string')
    }
  })

  test('a tool that must be called, streamed', async () => {
    const stream = client.chat.completions.stream({ model: 'demo', messages, tools: [tool], tool_choice: 'required', parallel_tool_calls: false, max_tokens: 200 })
    const answer = await stream.finalChatCompletion()
    const [call] = answer.choices[0].message.tool_calls
    assert.equal(call.function.name, 'weather')
    assert.equal(typeof JSON.parse(call.function.arguments).city, 'string')
  })

  test('structured output', async () => {
    const answer = await client.chat.completions.parse({ model: 'demo', messages, max_tokens: 300, response_format: { type: 'json_schema', json_schema: { name: 'reply', strict: true, schema } } })
    assert.equal(typeof answer.choices[0].message.parsed.yes, 'boolean')
    const object = await client.chat.completions.create({ model: 'demo', messages, max_tokens: 300, response_format: { type: 'json_object' } })
    if (object.choices[0].finish_reason === 'stop') assert.equal(typeof JSON.parse(object.choices[0].message.content), 'object')
  })

  test('completions', async () => {
    const answer = await client.completions.create({ model: 'demo', prompt: 'Hello', max_tokens: 5 })
    assert.equal(answer.object, 'text_completion')
    assert.equal(typeof answer.choices[0].text, 'string')
    let text = ''
    for await (const chunk of await client.completions.create({ model: 'demo', prompt: 'Hello', max_tokens: 5, stream: true })) text += chunk.choices[0].text
    assert.equal(text, answer.choices[0].text)
  })

  test('the result of a tool', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city": "Berlin"}' } }
    const answer = await client.chat.completions.create({
      model: 'demo',
      tools: [tool],
      messages: [...messages, { role: 'assistant', content: null, tool_calls: [call] }, { role: 'tool', tool_call_id: 'call_1', content: 'rain' }],
    })
    assert.equal(typeof answer.choices[0].message.content, 'string')
  })

  test('responses', async () => {
    const answer = await client.responses.create({ model: 'demo', input: 'Hello' })
    assert.equal(answer.output_text, greeting)
    assert.equal(answer.status, 'completed')
    assert.equal(answer.store, false)
    assert.ok(answer.usage.output_tokens > 0)
  })

  test('responses, a picture and a conversation', async () => {
    const answer = await client.responses.create({
      model: 'demo',
      instructions: 'Be brief.',
      input: [
        { role: 'user', content: 'Hello' },
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello!' }] },
        { role: 'user', content: [{ type: 'input_image', image_url: dataUri, detail: 'auto' }, { type: 'input_text', text: question }] },
      ],
    })
    assert.match(answer.output_text, /\w/)
  })

  test('responses, streamed', async () => {
    const stream = client.responses.stream({ model: 'demo', input: 'Hello' })
    let text = ''
    let last = -1
    for await (const event of stream) {
      assert.equal(event.sequence_number, last + 1)
      last = event.sequence_number
      if (event.type === 'response.output_text.delta') text += event.delta
    }
    const answer = await stream.finalResponse()
    assert.equal(text, greeting)
    assert.equal(answer.output_text, greeting)
    assert.equal(answer.status, 'completed')
  })

  test('responses, streamed thoughts', async () => {
    const stream = client.responses.stream({ model: 'demo-thinking', input: 'What is 2 + 2?' })
    const answer = await stream.finalResponse()
    assert.deepEqual(answer.output.map((item) => item.type), ['reasoning', 'message'])
    assert.ok(answer.output[0].content[0].text.length > 0)
    assert.ok(answer.usage.output_tokens_details.reasoning_tokens > 0)
  })

  test('responses, cut by max_output_tokens', async () => {
    const answer = await client.responses.create({ model: 'demo', input: 'Hello', max_output_tokens: 3 })
    assert.equal(answer.status, 'incomplete')
    assert.equal(answer.incomplete_details.reason, 'max_output_tokens')
  })

  test('responses, a tool that must be called', async () => {
    const ask = { model: 'demo', input: 'Hello', max_output_tokens: 200, parallel_tool_calls: false, tool_choice: 'required', tools: [{ type: 'function', strict: false, ...tool.function }] }
    for (const answer of [await client.responses.create(ask), await client.responses.stream(ask).finalResponse()]) {
      const [call] = answer.output
      assert.equal(call.type, 'function_call')
      assert.equal(call.name, 'weather')
      assert.equal(typeof JSON.parse(call.arguments).city, 'string')
    }
  })

  test('responses, structured output', async () => {
    const answer = await client.responses.parse({ model: 'demo', input: 'Hello', max_output_tokens: 300, text: { format: { type: 'json_schema', name: 'reply', schema } } })
    assert.equal(typeof answer.output_parsed.yes, 'boolean')
  })

  test('responses, the result of a tool', async () => {
    const answer = await client.responses.create({
      model: 'demo',
      tools: [{ type: 'function', strict: false, ...tool.function }],
      input: [
        { role: 'user', content: 'Hello' },
        { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city": "Berlin"}' },
        { type: 'function_call_output', call_id: 'call_1', output: 'rain' },
      ],
    })
    assert.equal(answer.error, null)
  })

  test('errors have their classes', async () => {
    const stranger = new OpenAI({ ...options, apiKey: 'wrong' })
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError)
    await assert.rejects(client.chat.completions.create({ model: 'gpt-4o', messages }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError)
      assert.equal(error.code, 'model_not_found')
      return true
    })
    await assert.rejects(client.chat.completions.create({ model: 'demo', messages, temperature: 9 }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError)
      assert.equal(error.param, 'temperature')
      assert.equal(error.type, 'invalid_request_error')
      return true
    })
    await assert.rejects(client.responses.create({ model: 'demo', input: 'Hello', previous_response_id: 'resp_1' }), OpenAI.BadRequestError)
  })
}
