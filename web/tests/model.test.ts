import { describe, expect, it } from 'vitest';
import { judgeFile, kMaxFileBytes } from '../src/lib/attachments';
import { buildMessages } from '../src/lib/messages';
import { defaultMaxTokens, groupFamilies, lengthSteps, pick, presetValues } from '../src/lib/models';
import { formatNumber, statsOf } from '../src/lib/stats';
import { en, fill, langOf, zh, type StringKey } from '../src/lib/strings';
import type { Answer, Attachment, Exchange, Model } from '../src/lib/types';

function answer(content: string, reasoning = ''): Answer {
  return {
    phase: 'done', model: 'demo', template: 'instruct', reasoning, content, thinkStartedAt: 0, thinkMs: 0,
    finishReason: 'stop', failure: null, stats: null,
  };
}
function picture(name: string): Attachment {
  return { id: 1, name, size: 3, mime: 'image/png', file: new Blob(['abc']), url: '' };
}
function exchange(text: string, attachments: Attachment[], reply: Answer): Exchange {
  return { id: 1, text, attachments, answer: reply };
}
const uri = async (a: Attachment) => `data:${a.mime};base64,${a.name}`;
const image = (name: string) => ({ type: 'image_url', image_url: { url: `data:image/png;base64,${name}` } });

describe('buildMessages', () => {
  it('puts pictures before the text and sends plain text plain', async () => {
    const one = exchange('which?', [picture('A'), picture('B')], answer(''));
    expect(await buildMessages([one], uri)).toEqual([
      { role: 'user', content: [image('A'), image('B'), { type: 'text', text: 'which?' }] },
    ]);
    expect(await buildMessages([exchange('hi', [], answer(''))], uri)).toEqual([{ role: 'user', content: 'hi' }]);
    expect(await buildMessages([exchange('', [picture('A')], answer(''))], uri)).toEqual([
      { role: 'user', content: [image('A')] },
    ]);
  });

  it('sends the whole conversation, past reasoning and the answer being replaced left out', async () => {
    const messages = await buildMessages(
      [
        exchange('one', [picture('A')], answer('first', 'because')),
        exchange('two', [], answer('')),
        exchange('three', [], answer('partial')),
      ],
      uri,
    );
    expect(messages).toEqual([
      { role: 'user', content: [image('A'), { type: 'text', text: 'one' }] },
      { role: 'assistant', content: 'first' },
      { role: 'user', content: 'two' },
      { role: 'user', content: 'three' },
    ]);
    expect(JSON.stringify(messages)).not.toContain('because');
  });

  it('leaves out an earlier question that the server refused, not one whose answer broke off', async () => {
    const refused = { ...answer(''), failure: { kind: 'server' as const, message: 'too large', code: '' } };
    const lost = { ...answer('half'), failure: { kind: 'lost' as const, message: '', code: '' } };
    const messages = await buildMessages(
      [exchange('big', [picture('A')], refused), exchange('next', [], lost), exchange('last', [], refused)],
      uri,
    );
    expect(messages).toEqual([
      { role: 'user', content: 'next' },
      { role: 'assistant', content: 'half' },
      { role: 'user', content: 'last' },
    ]);
  });
});

describe('i18n', () => {
  it('has the same keys and places in both languages, and no empty string', () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
    const places = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();
    for (const key of Object.keys(en) as StringKey[]) {
      expect(places(zh[key]), key).toEqual(places(en[key]));
      expect(zh[key].trim(), key).not.toBe('');
      expect(en[key].trim(), key).not.toBe('');
    }
  });

  it('really is Chinese', () => {
    const same = new Set(['appName', 'topP', 'topK']);
    for (const key of Object.keys(en) as StringKey[]) {
      if (!same.has(key) && key !== 'langName') expect(zh[key], key).toMatch(/[\u4e00-\u9fff]/);
    }
  });

  it('fills places and leaves unknown ones', () => {
    expect(fill('{a} of {b} {c}', { a: 1, b: '$&' })).toBe('1 of $& {c}');
  });

  it('chooses by the browser’s order', () => {
    expect(langOf(['zh-TW', 'en'])).toBe('zh');
    expect(langOf(['fr', 'en-GB', 'zh'])).toBe('en');
    expect(langOf(['fr'])).toBe('en');
  });
});

describe('files', () => {
  it('takes pictures by type or by extension', () => {
    expect(judgeFile('a.PNG', '', 1)).toEqual({ mime: 'image/png' });
    expect(judgeFile('a.heic', '', 1)).toEqual({ mime: 'image/heic' });
    expect(judgeFile('noext', 'image/webp', 1)).toEqual({ mime: 'image/webp' });
  });
  it('says what is wrong with the rest', () => {
    expect(judgeFile('a.mp4', '', 1)).toEqual({ problem: 'video' });
    expect(judgeFile('a', 'video/webm', 1)).toEqual({ problem: 'video' });
    expect(judgeFile('a.svg', 'image/svg+xml', 1)).toEqual({ problem: 'type' });
    expect(judgeFile('a.pdf', 'application/pdf', 1)).toEqual({ problem: 'type' });
    expect(judgeFile('a.png', 'image/png', 0)).toEqual({ problem: 'empty' });
    expect(judgeFile('a.png', 'image/png', kMaxFileBytes)).toEqual({ mime: 'image/png' });
    expect(judgeFile('a.png', 'image/png', kMaxFileBytes + 1)).toEqual({ problem: 'size' });
  });
});

describe('models', () => {
  const model = (id: string, template: Model['template'], context = 4096): Model => ({
    id, template, demo: false, context, defaults: { temperature: 0.5 },
  });
  it('pairs the two templates of one model', () => {
    const families = groupFamilies([
      model('demo', 'instruct'), model('demo-thinking', 'thinking'), model('Qwen3-VL-4B-Thinking', 'thinking'),
    ]);
    expect(families.map((f) => f.name)).toEqual(['demo', 'Qwen3-VL-4B']);
    expect(pick(families[0], 'thinking')?.id).toBe('demo-thinking');
    expect(pick(families[1], 'instruct')?.id).toBe('Qwen3-VL-4B-Thinking');
    expect(pick(undefined, 'instruct')).toBeUndefined();
  });
  it('presets and the model’s own defaults', () => {
    expect(presetValues('model', model('a', 'instruct'))).toEqual({
      temperature: 0.5, top_p: 1, top_k: 0, presence_penalty: 0,
    });
    expect(presetValues('model', { ...model('a', 'thinking'), defaults: {} })).toEqual({
      temperature: 0.6, top_p: 0.95, top_k: 20, presence_penalty: 0,
    });
    expect(presetValues('factual', undefined).temperature).toBe(0);
    expect(presetValues('creative', undefined).temperature).toBe(1);
  });
  it('keeps lengths inside the context', () => {
    expect(lengthSteps(1000)).toEqual([64, 128, 256, 512, 768, 1000]);
    expect(lengthSteps(4096).at(-1)).toBe(4096);
    expect(defaultMaxTokens(model('a', 'thinking', 4096))).toBe(2048);
    expect(defaultMaxTokens(model('a', 'instruct', 0))).toBe(2048);
    expect(defaultMaxTokens({ ...model('a', 'instruct'), defaults: { max_tokens: 256 } })).toBe(256);
    expect(defaultMaxTokens({ ...model('a', 'instruct', 1000), defaults: { max_tokens: 32768 } })).toBe(1000);
  });
  it('takes nothing from the server’s defaults but what it sends back', () => {
    const defaults = { temperature: 0, top_k: 5, min_p: 0.1, max_tokens: 9 };
    expect(presetValues('model', { ...model('a', 'instruct'), defaults })).toEqual({
      temperature: 0, top_p: 1, top_k: 5, presence_penalty: 0,
    });
  });
});

describe('figures', () => {
  const clock = { sentAt: 100, firstAt: 350, lastAt: 1350, pieces: 11 };
  it('prefers the server’s', () => {
    const stats = statsOf(
      { prompt_tokens: 80, completion_tokens: 12, prompt_truncation: { dropped_messages: 2 } },
      { ttft_ms: 200, predicted_per_second: 55, vision_ms: 30, vision_saved_ms: 4800 },
      clock,
    );
    expect(stats).toEqual({
      ttftMs: 200, tokensPerSecond: 55, promptTokens: 80, answerTokens: 12, visionMs: 30, visionSavedMs: 4800, droppedMessages: 2,
      measuredHere: false,
    });
  });
  it('falls back to its own clock', () => {
    expect(statsOf(null, null, clock)).toEqual({
      ttftMs: 250, tokensPerSecond: 10, promptTokens: null, answerTokens: null, visionMs: null, visionSavedMs: null, droppedMessages: 0,
      measuredHere: true,
    });
  });
  it('formats', () => {
    expect([0.0342, 0.25, 1.26, 45.04, 123.4].map(formatNumber)).toEqual(['0.034', '0.25', '1.3', '45', '123']);
  });
});
