import { describe, expect, it } from 'vitest';
import { ConnectionError, ServerError, eventsOf } from '../src/api';
import { SseParser } from '../src/lib/sse';

const kStream =
  ': ping\n\ndata: {"a":1}\n\nevent: x\r\nid: 7\r\ndata: first\r\ndata: second\r\n\r\n: ping\n\n\n\ndata:no space\n\n' +
  'data: 看图 🙂\r\rdata\n\ndata: [DONE]\n\n';
const kEvents = ['{"a":1}', 'first\nsecond', 'no space', '看图 🙂', '', '[DONE]'];

function feed(pieces: string[]): string[] {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

describe('SseParser', () => {
  it('reads a whole stream', () => {
    expect(feed([kStream])).toEqual(kEvents);
  });

  it('gives the same events wherever the stream is cut once', () => {
    for (let cut = 0; cut <= kStream.length; cut++) {
      expect(feed([kStream.slice(0, cut), kStream.slice(cut)]), `cut at ${cut}`).toEqual(kEvents);
    }
  });

  it('gives the same events character by character', () => {
    expect(feed(kStream.split(''))).toEqual(kEvents);
  });

  it('keeps an event that has not ended', () => {
    expect(feed(['data: half\n'])).toEqual([]);
    expect(feed(['data: half\n', '\n'])).toEqual(['half']);
  });
});

describe('eventsOf', () => {
  const chunk = (value: unknown) => [...eventsOf(JSON.stringify(value))];

  it('reads deltas, the finish reason and the figures', () => {
    expect(chunk({ choices: [{ delta: { role: 'assistant', content: '' } }], usage: null })).toEqual([]);
    expect(chunk({ choices: [{ delta: { content: 'a' } }] })).toEqual([{ type: 'content', text: 'a' }]);
    expect(chunk({ choices: [{ delta: { reasoning_content: 'r', reasoning: 'r' } }] })).toEqual([
      { type: 'reasoning', text: 'r' },
    ]);
    expect(chunk({ choices: [{ delta: { reasoning: 'r' } }] })).toEqual([{ type: 'reasoning', text: 'r' }]);
    expect(chunk({ choices: [{ delta: {}, finish_reason: 'length' }] })).toEqual([{ type: 'finish', reason: 'length' }]);
    const usage = { completion_tokens: 3 };
    expect(chunk({ choices: [], usage, timings: { ttft_ms: 5 } })).toEqual([
      { type: 'figures', usage, timings: { ttft_ms: 5 } },
    ]);
  });

  it('throws the error that came inside a stream', () => {
    const error = { error: { message: 'out of cache blocks', code: 'cache_full' } };
    expect(() => chunk(error)).toThrow(ServerError);
    expect(() => chunk(error)).toThrow('out of cache blocks');
  });

  it('takes a broken chunk for a broken connection', () => {
    expect(() => [...eventsOf('{"choices":[{')]).toThrow(ConnectionError);
  });
});
