// The conversation: sending, streaming, stopping, asking again. One answer streams at a time.
import { ConnectionError, ServerError, streamChat } from '../api';
import { UnreadableFile, dataUriOf } from './attachments';
import { buildMessages } from './messages';
import { settings } from './settings.svelte';
import { statsOf, type Clock } from './stats';
import type { Answer, Attachment, Exchange, Failure, Timings, Usage } from './types';
import { t } from './ui.svelte';

let nextId = 1;

class Chat {
  exchanges = $state<Exchange[]>([]);
  busy = $state(false);
  private abort: AbortController | null = null;

  pictures = $derived(this.exchanges.reduce((n, e) => n + e.attachments.length, 0));

  send(text: string, attachments: Attachment[]): void {
    if (this.busy) return;
    this.exchanges.push({ id: nextId++, text, attachments, answer: freshAnswer() });
    void this.run();
  }

  stop(): void {
    this.abort?.abort();
  }

  /** Asks the last question again, in place of the answer it has. */
  regenerate(): void {
    const last = this.exchanges.at(-1);
    if (this.busy || !last) return;
    last.answer = freshAnswer();
    void this.run();
  }

  /** Takes a question out, with all that follows, for the person to change. */
  takeBack(id: number): Exchange | null {
    if (this.busy) return null;
    const index = this.exchanges.findIndex((e) => e.id === id);
    if (index < 0) return null;
    const removed = this.exchanges.splice(index);
    for (const exchange of removed.slice(1)) release(exchange.attachments);
    return removed[0] ?? null;
  }

  clear(): void {
    this.stop();
    for (const exchange of this.exchanges) release(exchange.attachments);
    this.exchanges = [];
  }

  private async run(): Promise<void> {
    const exchange = this.exchanges.at(-1);
    if (!exchange) return;
    const abort = new AbortController();
    this.abort = abort;
    this.busy = true;
    const writer = new AnswerWriter(exchange.answer);
    try {
      const model = settings.model;
      if (!model) throw new ServerError(0, 'no_model', t('noModel'));
      const messages = await buildMessages(this.exchanges, dataUriOf);
      abort.signal.throwIfAborted();
      writer.start();
      const thinking = model.template === 'thinking';
      const request = {
        model: model.id,
        messages,
        ...settings.sampling,
        max_tokens: settings.maxTokens,
        ...(thinking && settings.budget !== null ? { thinking_token_budget: settings.budget } : {}),
      };
      for await (const event of streamChat(request, abort.signal)) {
        if (event.type === 'finish') writer.finishReason = event.reason;
        else if (event.type === 'figures') writer.figures(event.usage, event.timings);
        else writer.text(event.type, event.text);
      }
      writer.end('done', null);
    } catch (error) {
      if (abort.signal.aborted) writer.end('stopped', null);
      else writer.end('failed', failureOf(error));
    } finally {
      if (this.abort === abort) {
        this.abort = null;
        this.busy = false;
      }
    }
  }
}

function freshAnswer(): Answer {
  return {
    phase: 'waiting',
    model: settings.model?.id ?? '',
    template: settings.template,
    reasoning: '',
    content: '',
    thinkStartedAt: 0,
    thinkMs: 0,
    finishReason: '',
    failure: null,
    stats: null,
  };
}

function release(attachments: readonly Attachment[]): void {
  for (const attachment of attachments) URL.revokeObjectURL(attachment.url);
}

function failureOf(error: unknown): Failure {
  if (error instanceof ServerError) {
    return { kind: error.status === 401 ? 'key' : 'server', message: error.message, code: error.code };
  }
  if (error instanceof ConnectionError) return { kind: error.midStream ? 'lost' : 'offline', message: '', code: '' };
  if (error instanceof UnreadableFile) {
    return { kind: 'server', message: t('failFile', { name: error.fileName }), code: '' };
  }
  return { kind: 'server', message: error instanceof Error ? error.message : String(error), code: '' };
}

/**
 * Gathers what streams in and hands it to the page once a frame: tokens may come faster than the screen draws.
 */
class AnswerWriter {
  finishReason = '';
  private reasoning = '';
  private content = '';
  private frame = 0;
  private timer = 0;
  private usage: Usage | null = null;
  private timings: Timings | null = null;
  private clock: Clock = { sentAt: performance.now(), firstAt: null, lastAt: null, pieces: 0 };

  constructor(private readonly answer: Answer) {}

  start(): void {
    this.clock.sentAt = performance.now();
  }

  text(kind: 'reasoning' | 'content', text: string): void {
    const now = performance.now();
    this.clock.firstAt ??= now;
    this.clock.lastAt = now;
    this.clock.pieces++;
    if (kind === 'reasoning') {
      if (this.answer.phase === 'waiting') {
        this.answer.phase = 'thinking';
        this.answer.thinkStartedAt = now;
      }
      this.reasoning += text;
    } else {
      if (this.answer.phase !== 'answering') {
        this.endThinking(now);
        this.answer.phase = 'answering';
      }
      this.content += text;
    }
    this.schedule();
  }

  figures(usage: Usage | null, timings: Timings | null): void {
    this.usage = usage ?? this.usage;
    this.timings = timings ?? this.timings;
  }

  end(phase: 'done' | 'stopped' | 'failed', failure: Failure | null): void {
    this.flush();
    this.endThinking(performance.now());
    this.answer.finishReason = this.finishReason;
    this.answer.failure = failure;
    if (this.clock.firstAt !== null) this.answer.stats = statsOf(this.usage, this.timings, this.clock);
    this.answer.phase = phase;
  }

  private endThinking(now: number): void {
    if (this.answer.phase === 'thinking') this.answer.thinkMs = now - this.answer.thinkStartedAt;
  }

  private schedule(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => this.flush());
    // A hidden tab draws no frames, but its text must still arrive.
    this.timer = window.setTimeout(() => this.flush(), 250);
  }

  private flush(): void {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.frame = 0;
    if (this.reasoning !== '') this.answer.reasoning += this.reasoning;
    if (this.content !== '') this.answer.content += this.content;
    this.reasoning = '';
    this.content = '';
  }
}

export const chat = new Chat();
