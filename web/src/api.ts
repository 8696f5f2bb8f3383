// Everything the page asks of the server, and nothing else does: models, samples, and the streamed chat.
import type { Message } from './lib/messages';
import { SseParser } from './lib/sse';
import type { Model, Sample, Sampling, Timings, Usage } from './lib/types';

export interface ChatRequest extends Sampling {
  model: string;
  messages: Message[];
  max_tokens: number;
  thinking_token_budget?: number;
}

export type StreamEvent =
  | { type: 'reasoning' | 'content'; text: string }
  | { type: 'finish'; reason: string }
  | { type: 'figures'; usage: Usage | null; timings: Timings | null };

/** The server answered, and the answer is an error. `status` is 0 for one that came inside a stream. */
export class ServerError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** No answer: the server cannot be reached, or the stream broke off before its end. */
export class ConnectionError extends Error {
  constructor(readonly midStream: boolean) {
    super(midStream ? 'the stream ended early' : 'the server cannot be reached');
  }
}

const kKeyName = 'qwen3vl.key';

export function apiKey(): string {
  return sessionStorage.getItem(kKeyName) ?? '';
}

export function setApiKey(key: string): void {
  if (key === '') sessionStorage.removeItem(kKeyName);
  else sessionStorage.setItem(kKeyName, key);
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (apiKey() !== '') headers.set('Authorization', `Bearer ${apiKey()}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ConnectionError(false);
  }
  if (!response.ok) throw errorFrom(response.status, await response.text().catch(() => ''));
  return response;
}

function errorFrom(status: number, body: string): ServerError {
  let message = `HTTP ${status}`;
  let code = '';
  try {
    const error = (JSON.parse(body) as { error?: { message?: unknown; code?: unknown } }).error;
    if (typeof error?.message === 'string' && error.message !== '') message = error.message;
    if (error?.code !== undefined && error.code !== null) code = String(error.code);
  } catch {
    // Not JSON: a proxy's page, say. The status alone is what can be told.
  }
  return new ServerError(status, code, message);
}

interface RawModel {
  id: string;
  max_model_len?: number;
  qwen3vl?: { template?: string; demo?: boolean; context?: number; defaults?: Model['defaults'] };
}

export async function listModels(): Promise<Model[]> {
  const body = (await (await request('/v1/models')).json()) as { data?: RawModel[] };
  return (body.data ?? []).map((raw) => {
    const own = raw.qwen3vl ?? {};
    const thinking = own.template ? own.template === 'thinking' : /thinking/i.test(raw.id);
    return {
      id: raw.id,
      template: thinking ? 'thinking' : 'instruct',
      demo: own.demo === true,
      context: own.context ?? raw.max_model_len ?? 0,
      defaults: own.defaults ?? {},
    };
  });
}

/** The sample pictures of the demonstration model; none where the server has none. */
export async function listSamples(): Promise<Sample[]> {
  try {
    return (await (await request('/samples/index.json')).json()) as Sample[];
  } catch {
    return [];
  }
}

export function sampleUrl(file: string): string {
  return `/samples/${encodeURIComponent(file)}`;
}

export async function fetchSample(file: string): Promise<Blob> {
  return (await request(sampleUrl(file))).blob();
}

interface Chunk {
  error?: { message?: string; code?: unknown };
  choices?: {
    delta?: { content?: string | null; reasoning_content?: string | null; reasoning?: string | null };
    finish_reason?: string | null;
  }[];
  usage?: Usage | null;
  timings?: Timings | null;
}

/**
 * Sends one request and yields what streams back. Throws ServerError, ConnectionError, or the AbortError of `signal`.
 */
export async function* streamChat(chat: ChatRequest, signal: AbortSignal): AsyncGenerator<StreamEvent> {
  const response = await request('/v1/chat/completions', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    // A conversation longer than the context goes on without its oldest turns; the usage says how many.
    body: JSON.stringify({ ...chat, truncation: 'auto', stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  if (!response.body) throw new ConnectionError(true);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  let finished = false;
  try {
    for (;;) {
      const { done, value } = await read(reader);
      for (const data of parser.push(done ? decoder.decode() : decoder.decode(value, { stream: true }))) {
        if (data === '[DONE]') return;
        for (const event of eventsOf(data)) {
          finished ||= event.type === 'finish';
          yield event;
        }
      }
      if (done) break;
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
  if (!finished) throw new ConnectionError(true);
}

async function read(reader: ReadableStreamDefaultReader<Uint8Array>) {
  try {
    return await reader.read();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ConnectionError(true);
  }
}

/** The events in one chunk of the stream. Exported for its tests. */
export function* eventsOf(data: string): Generator<StreamEvent> {
  let chunk: Chunk;
  try {
    chunk = JSON.parse(data) as Chunk;
  } catch {
    throw new ConnectionError(true);
  }
  if (chunk.error) throw errorFrom(0, data);
  const choice = chunk.choices?.[0];
  const reasoning = choice?.delta?.reasoning_content ?? choice?.delta?.reasoning;
  if (reasoning) yield { type: 'reasoning', text: reasoning };
  if (choice?.delta?.content) yield { type: 'content', text: choice.delta.content };
  if (choice?.finish_reason) yield { type: 'finish', reason: choice.finish_reason };
  if (chunk.usage || chunk.timings) {
    yield { type: 'figures', usage: chunk.usage ?? null, timings: chunk.timings ?? null };
  }
}
