// From the conversation on the screen to the OpenAI messages that carry it. The whole conversation goes with every
// request; pictures stand before the text of their turn; past reasoning stays here, and so does a question that the
// server refused: sent again with the next one, it would be refused again.
import type { Attachment, Exchange } from './types';

export type Part = { type: 'text'; text: string } | { type: 'image_url'; image_url: { url: string } };
export interface Message {
  role: 'user' | 'assistant';
  content: string | Part[];
}

export type DataUriOf = (attachment: Attachment) => Promise<string>;

/** Messages for the exchanges up to and including the last one, whose answer is what is being asked for. */
export async function buildMessages(exchanges: readonly Exchange[], dataUriOf: DataUriOf): Promise<Message[]> {
  const messages: Message[] = [];
  for (const [index, exchange] of exchanges.entries()) {
    const last = index === exchanges.length - 1;
    if (!last && exchange.answer.failure?.kind === 'server' && exchange.answer.content === '') continue;
    messages.push({ role: 'user', content: await userContent(exchange, dataUriOf) });
    if (!last && exchange.answer.content !== '') {
      messages.push({ role: 'assistant', content: exchange.answer.content });
    }
  }
  return messages;
}

async function userContent(exchange: Exchange, dataUriOf: DataUriOf): Promise<string | Part[]> {
  if (exchange.attachments.length === 0) return exchange.text;
  const parts: Part[] = [];
  for (const attachment of exchange.attachments) {
    parts.push({ type: 'image_url', image_url: { url: await dataUriOf(attachment) } });
  }
  if (exchange.text !== '') parts.push({ type: 'text', text: exchange.text });
  return parts;
}
