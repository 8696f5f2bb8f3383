// What the browser tests share: a browser, a server as a child process, pages that fail on any breach of the content
// security policy, on any error in the page, and on any request that leaves the server.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const { chromium } = createRequire(join(root, 'web/package.json'))('playwright-core');

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Starts a server and waits until `path` answers. Returns its process; stop it with stop(). */
export async function serve(command, args, url, environment = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...environment } });
  let exited = null;
  child.once('exit', (code, signal) => (exited = signal ?? code));
  child.once('error', (error) => (exited = error.message));
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    if (exited !== null) throw new Error(`${command} ended at once: ${exited}`);
    try {
      if ((await fetch(url)).status < 500) return child;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill();
  throw new Error(`${command} did not answer at ${url} within a minute`);
}

export function stop(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', resolve);
    child.kill('SIGTERM');
  });
}

/** A fresh page. `allowed` are the console errors that the test itself provokes. */
export async function openPage(browser, base, options = {}, allowed = /$^/) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-US', ...options });
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !allowed.test(message.text())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !/^(data|blob):/.test(url)) problems.push(`left the server: ${url}`);
  });
  await page.goto(base);
  await page.waitForSelector('#question');
  return { page, problems, close: () => context.close() };
}

export async function ask(page, text) {
  const before = await page.locator('article.turn').count();
  await page.fill('#question', text);
  await page.press('#question', 'Enter');
  await page.waitForFunction((n) => document.querySelectorAll('article.turn').length === n + 1, before);
}

/** The text of the last answer, once it has ended. */
export async function lastAnswer(page, timeout = 60_000) {
  await page.waitForFunction(() => [...document.querySelectorAll('.answer')].at(-1)?.getAttribute('aria-busy') === 'false',
    undefined, { timeout });
  const answers = page.locator('article.turn >> nth=-1 >> .answer > .markdown');
  const read = async () => ((await answers.count()) > 0 ? (await answers.first().innerText()).trim() : '');
  // Drawing is spaced out in time and may lag behind the stream's end by a moment.
  for (let text = await read(); ; ) {
    await page.waitForTimeout(200);
    const again = await read();
    if (again === text) return text;
    text = again;
  }
}

/** Drops files on the page as a file manager would. */
export async function dropFiles(page, files, selector = 'body') {
  const transfer = await page.evaluateHandle((list) => {
    const data = new DataTransfer();
    for (const { name, mime, base64 } of list) {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      data.items.add(new File([bytes], name, { type: mime }));
    }
    return data;
  }, files);
  for (const type of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent(selector, type, { dataTransfer: transfer });
}

export async function pasteFiles(page, files) {
  await page.evaluate((list) => {
    const data = new DataTransfer();
    for (const { name, mime, base64 } of list) {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      data.items.add(new File([bytes], name, { type: mime }));
    }
    document.querySelector('#question').dispatchEvent(
      new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  }, files);
}

let failures = 0;
let checks = 0;

export function check(what, condition, detail = '') {
  checks++;
  if (condition) return;
  failures++;
  console.error(`FAILED: ${what}${detail === '' ? '' : `: ${detail}`}`);
}

export function equal(what, actual, expected) {
  check(what, actual === expected, `expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

/**
 * Runs named steps in order; a step that throws fails, and the next ones still run. A step that fails is run once more, and only a
 * second failure counts: on a crowded machine a browser may be later than any wait allows. The second try is printed.
 */
export async function run(title, steps) {
  const attempt = async (name, step) => {
    const before = failures;
    try {
      await step();
    } catch (error) {
      failures++;
      console.error(`FAILED: ${name}: ${error.message}`);
    }
    return failures - before;
  };
  for (const [name, step] of Object.entries(steps)) {
    const started = Date.now();
    let failed = await attempt(name, step);
    let verdict = 'ok    ';
    if (failed > 0) {
      failures -= failed;
      failed = await attempt(name, step);
      verdict = failed > 0 ? 'FAILED' : 'ok, at the second try';
    }
    console.log(`${verdict} ${title}: ${name} (${Date.now() - started} ms)`);
  }
}

export function finish() {
  console.log(`${checks} checks, ${failures} failed`);
  process.exitCode = failures === 0 ? 0 : 1;
}
