// For looking at the page while working on it, never part of the product: serves dist/ and the samples with the content
// security policy of the real server, and streams made-up answers.
//   node dev/mock_server.mjs [port]
// What is asked decides the answer: "markdown", "an error", "lost", "slow", "length", "long", "forgotten", anything else. A picture asked
// about before is one that the server still knows.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, '../dist');
const samples = join(here, '../../models/demo/samples');
const port = Number(process.argv[2] ?? 7861);
const key = process.env.MOCK_KEY ?? '';

const kPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; " +
  "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const kTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};

function sendFile(response, path) {
  if (!existsSync(path) || !statSync(path).isFile()) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, {
    'Content-Type': kTypes[extname(path)] ?? 'application/octet-stream',
    'Content-Security-Policy': kPolicy,
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-cache',
  });
  createReadStream(path).pipe(response);
}

const kModels = {
  object: 'list',
  data: [
    { id: 'demo', object: 'model', qwen3vl: { template: 'instruct', demo: true, context: 4096, defaults: { temperature: 0 } } },
    { id: 'demo-thinking', object: 'model', qwen3vl: { template: 'thinking', demo: true, context: 4096, defaults: { temperature: 0 } } },
    { id: 'Qwen3-VL-4B-Instruct', object: 'model', qwen3vl: { template: 'instruct', demo: false, context: 32768 } },
  ],
};

const kMarkdown = `The chart compares **four quarters**. In short:

1. Revenue grew from \`2.1\` to \`3.4\` million.
2. The margin stayed near 18 %.

| Quarter | Revenue | Margin |
| :-- | --: | :-: |
| Q1 | 2.1 M | 17 % |
| Q2 | 2.6 M | 18 % |
| Q3 | 3.4 M | 18 % |

The growth rate $g = \\frac{r_3}{r_1} - 1 \\approx 0.62$, and for the whole series

$$\\bar{x} = \\frac{1}{n}\\sum_{i=1}^{n} x_i, \\qquad \\sigma = \\sqrt{\\int_{-\\infty}^{\\infty} (x-\\mu)^2 f(x)\\,dx}$$

\`\`\`python
from dataclasses import dataclass

@dataclass
class Quarter:
    name: str
    revenue: float  # in millions

def growth(quarters: list[Quarter]) -> float:
    """From the first to the last."""
    return quarters[-1].revenue / quarters[0].revenue - 1

print(f"{growth(data):.1%}")
\`\`\`

> Numbers read from the picture; see [the guide](https://example.org/guide) and ![a beacon](https://evil.example/pixel.png).
`;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function answer(request, response, body) {
  if (key && request.headers.authorization !== `Bearer ${key}`) {
    response.writeHead(401, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ error: { message: 'missing or wrong API key', type: 'invalid_request_error', code: 'unauthorized' } }));
    return;
  }
  const chat = JSON.parse(body);
  const last = chat.messages.at(-1);
  const text = typeof last.content === 'string' ? last.content : last.content.filter((p) => p.type === 'text').map((p) => p.text).join(' ');
  const pictures = chat.messages.flatMap((m) => (Array.isArray(m.content) ? m.content : [])).filter((p) => p.type === 'image_url').length;
  if (/\ban error\b/.test(text)) {
    response.writeHead(400, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ error: { message: 'picture 1 has 90.0 megapixels; at most 64 are allowed', type: 'invalid_request_error', code: 'image_too_large' } }));
    return;
  }
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  const send = (value) => response.write(`data: ${JSON.stringify(value)}\n\n`);
  const delta = (d, finish = null) => send({ id: 'chatcmpl-1', object: 'chat.completion.chunk', model: chat.model, choices: [{ index: 0, delta: d, finish_reason: finish }], usage: null });
  const started = Date.now();
  response.write(': ping\n\n');
  await sleep(/slow/.test(text) ? 3000 : 150);
  delta({ role: 'assistant', content: '' });
  let count = 0;
  const stream = async (name, whole, pause) => {
    for (const piece of whole.match(/[\s\S]{1,4}/g) ?? []) {
      if (response.destroyed) return;
      delta({ [name]: piece });
      count++;
      await sleep(pause);
    }
  };
  if (/thinking/i.test(chat.model)) {
    await stream('reasoning_content', 'The picture shows a chart with three bars.\n\nI compare their heights: P is 5, Q is 8, R is 1. The largest of these is 8, so Q is the highest bar.', 25);
  }
  const whole = /long/.test(text)
    ? kMarkdown.repeat(25)
    : /markdown/.test(text)
      ? kMarkdown
      : `The picture shows ${pictures} picture(s); you asked: “${text}”.`;
  await stream('content', whole, /long/.test(text) ? 1 : 12);
  if (/lost/.test(text)) {
    // A reset throws away what the client has not read yet: let the text arrive, it is what the page must keep.
    await sleep(500);
    response.destroy();
    return;
  }
  delta({}, /length/.test(text) ? 'length' : 'stop');
  const ms = Date.now() - started;
  const truncation = /forgotten/.test(text) && chat.truncation === 'auto' ? { prompt_truncation: { dropped_messages: 4 } } : {};
  const vision = pictures > 0 && chat.messages.length > 1 ? { vision_ms: 0, vision_saved_ms: 4800 } : { vision_ms: 23.4, vision_saved_ms: 0 };
  send({ choices: [], usage: { prompt_tokens: 92, completion_tokens: count, total_tokens: 92 + count, ...truncation }, timings: { prompt_n: 92, prompt_ms: 61, predicted_n: count, predicted_ms: ms, predicted_per_second: (count * 1000) / ms, ...vision, vision_n: pictures, ttft_ms: 151, cache_n: 0 } });
  response.end('data: [DONE]\n\n');
}

createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
  if (request.method === 'POST') {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => answer(request, response, Buffer.concat(chunks).toString()));
  } else if (path === '/v1/models') {
    if (key && request.headers.authorization !== `Bearer ${key}`) {
      response.writeHead(401, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ error: { message: 'missing or wrong API key', type: 'invalid_request_error', code: 'unauthorized' } }));
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(kModels));
  } else if (path.startsWith('/samples/')) {
    sendFile(response, join(samples, path.slice('/samples/'.length)));
  } else {
    sendFile(response, join(dist, path === '/' ? 'index.html' : path));
  }
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
