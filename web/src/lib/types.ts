// What the page holds in memory, and the server's objects as it reads them.

export type Template = 'instruct' | 'thinking';

export interface Sampling {
  temperature: number;
  top_p: number;
  top_k: number;
  presence_penalty: number;
}

export interface Model {
  id: string;
  template: Template;
  demo: boolean;
  /** Tokens that prompt and answer may fill together; 0 where the server does not say. */
  context: number;
  defaults: Partial<Sampling> & { max_tokens?: number };
}

export interface Sample {
  file: string;
  title: Record<string, string>;
  questions: Record<string, string[]>;
}

export interface Attachment {
  id: number;
  name: string;
  size: number;
  mime: string;
  file: Blob;
  /** A blob: address for the thumbnail; empty where the browser cannot show the format. */
  url: string;
}

export interface Timings {
  prompt_n?: number;
  prompt_ms?: number;
  predicted_n?: number;
  predicted_ms?: number;
  predicted_per_second?: number;
  vision_ms?: number;
  vision_n?: number;
  vision_saved_ms?: number;
  ttft_ms?: number;
  cache_n?: number;
}

export interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
  total_tokens?: number;
  completion_tokens_details?: { reasoning_tokens?: number } | null;
  prompt_truncation?: { dropped_messages?: number } | null;
}

export interface Stats {
  ttftMs: number | null;
  tokensPerSecond: number | null;
  promptTokens: number | null;
  answerTokens: number | null;
  visionMs: number | null;
  /** What encoding the pictures would have taken, had the server not kept them. */
  visionSavedMs: number | null;
  /** Messages that no longer fitted the context, the oldest ones. */
  droppedMessages: number;
  /** True where the page's own clock stood in for a figure that the server left out. */
  measuredHere: boolean;
}

export type FailureKind = 'server' | 'offline' | 'lost' | 'key';

export interface Failure {
  kind: FailureKind;
  message: string;
  code: string;
}

export type Phase = 'waiting' | 'thinking' | 'answering' | 'done' | 'stopped' | 'failed';

export interface Answer {
  phase: Phase;
  model: string;
  template: Template;
  reasoning: string;
  content: string;
  thinkStartedAt: number;
  thinkMs: number;
  finishReason: string;
  failure: Failure | null;
  stats: Stats | null;
}

export interface Exchange {
  id: number;
  text: string;
  attachments: Attachment[];
  answer: Answer;
}
