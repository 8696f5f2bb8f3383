// The figures under an answer: the server's where it gave them, else this page's own clock.
import type { Stats, Timings, Usage } from './types';

export interface Clock {
  sentAt: number;
  firstAt: number | null;
  lastAt: number | null;
  /** Pieces of text received; close to tokens where the server streams each one. */
  pieces: number;
}

export function statsOf(usage: Usage | null, timings: Timings | null, clock: Clock): Stats {
  const ownTtft = clock.firstAt === null ? null : clock.firstAt - clock.sentAt;
  const answerTokens = usage?.completion_tokens ?? timings?.predicted_n ?? null;
  const promptTokens = usage?.prompt_tokens ?? timings?.prompt_n ?? null;
  const serverSpeed = timings?.predicted_per_second ?? speed(timings?.predicted_n, timings?.predicted_ms);
  const ownSpan = clock.firstAt === null || clock.lastAt === null ? 0 : clock.lastAt - clock.firstAt;
  const ownSpeed = ownSpan > 0 ? speed((answerTokens ?? clock.pieces) - 1, ownSpan) : null;
  return {
    ttftMs: timings?.ttft_ms ?? ownTtft,
    tokensPerSecond: serverSpeed ?? ownSpeed,
    promptTokens,
    answerTokens,
    visionMs: timings?.vision_ms ?? null,
    visionSavedMs: timings?.vision_saved_ms ?? null,
    droppedMessages: usage?.prompt_truncation?.dropped_messages ?? 0,
    measuredHere: timings?.ttft_ms === undefined || serverSpeed === null,
  };
}

function speed(tokens: number | undefined, ms: number | undefined): number | null {
  return tokens !== undefined && ms !== undefined && tokens > 0 && ms > 0 ? (tokens * 1000) / ms : null;
}

/** Two or three digits that matter: 0.034, 1.2, 45. */
export function formatNumber(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1).replace(/\.0$/, '');
  if (value >= 0.1) return value.toFixed(value >= 1 ? 1 : 2);
  return value.toFixed(3);
}
