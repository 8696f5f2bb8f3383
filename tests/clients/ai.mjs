// The package `ai` with its OpenAI-compatible provider.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
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

  test('thoughts are told apart', async () => {
    const { text, reasoningText } = await generateText({ model: provider('demo-thinking'), prompt: 'What is 2 + 2?' })
    assert.ok(text.length > 0 && reasoningText.length > 0)
  })

  test('an error has its message', async () => {
    await assert.rejects(generateText({ model: provider('nope'), prompt: 'Hello', maxRetries: 0 }), /nope/)
  })
}
