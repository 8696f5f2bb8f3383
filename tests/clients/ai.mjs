// The package `ai` with its OpenAI-compatible provider.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, jsonSchema, Output, streamText, tool } from 'ai'
import { greeting, key, picture, question, seen, test } from './harness.mjs'

export function register({ url }) {
  const provider = createOpenAICompatible({ name: 'qwen3vl', baseURL: `${url}/v1`, apiKey: key, includeUsage: true })
  const model = provider('demo')
  const withPicture = [{ role: 'user', content: [{ type: 'image', image: readFileSync(picture) }, { type: 'text', text: question }] }]

  test('generateText', async () => {
    const { text, finishReason, usage } = await generateText({ model, prompt: 'Hello' })
    assert.equal(text, greeting)
    assert.equal(finishReason, 'stop')
    assert.ok(usage.outputTokens > 0)
  })

  test('generateText with a picture', async () => {
    assert.equal((await generateText({ model, messages: withPicture })).text, seen)
  })

  test('streamText', async () => {
    const result = streamText({ model, prompt: 'Hello' })
    let text = ''
    for await (const piece of result.textStream) text += piece
    assert.equal(text, greeting)
    assert.ok((await result.usage).outputTokens > 0)
  })

  test('streamText with a picture', async () => {
    assert.equal(await streamText({ model, messages: withPicture }).text, seen)
  })

  test('a tool that must be called', async () => {
    const weather = tool({ description: 'The weather of a city', inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string', enum: ['Berlin', 'Paris'] } }, required: ['city'] }) })
    const { toolCalls } = await generateText({ model, prompt: 'Hello', tools: { weather }, toolChoice: 'required', maxOutputTokens: 200 })
    assert.equal(toolCalls[0].toolName, 'weather')
    assert.equal(typeof toolCalls[0].input.city, 'string')
  })

  test('structured output', async () => {
    const structured = createOpenAICompatible({ name: 'qwen3vl', baseURL: `${url}/v1`, apiKey: key, supportsStructuredOutputs: true })('demo')
    const schema = jsonSchema({ type: 'object', properties: { yes: { type: 'boolean' } }, required: ['yes'], additionalProperties: false })
    const { output } = await generateText({ model: structured, prompt: 'Hello', output: Output.object({ schema }) })
    assert.equal(typeof output.yes, 'boolean')
  })

  test('thoughts are told apart', async () => {
    const { text, reasoningText } = await generateText({ model: provider('demo-thinking'), prompt: 'What is 2 + 2?' })
    assert.ok(text.length > 0 && reasoningText.length > 0)
  })

  test('an error has its message', async () => {
    await assert.rejects(generateText({ model: provider('nope'), prompt: 'Hello', maxRetries: 0 }), /nope/)
  })
}
