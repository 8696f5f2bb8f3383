// Screenshots of the page against the mock server, for the eye: node dev/shots.mjs OUT_FOLDER
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
if (!out) throw new Error('usage: node dev/shots.mjs OUT_FOLDER');
mkdirSync(out, { recursive: true });
const port = 7871;
const base = `http://127.0.0.1:${port}`;
const server = spawn(process.execPath, [join(here, 'mock_server.mjs'), String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
await new Promise((resolve) => server.stdout.once('data', resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

async function open(name, options, steps) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-US', ...options });
  const page = await context.newPage();
  page.on('console', (m) => m.type() === 'error' && console.log(`[${name}] console: ${m.text()}`));
  page.on('pageerror', (e) => console.log(`[${name}] error: ${e.message}`));
  await page.goto(base);
  await page.waitForSelector('.sample img');
  let index = 0;
  await steps(page, async (label = '') => {
    await page.waitForTimeout(150);
    await page.screenshot({ path: join(out, `${name}${label || index++ || ''}.png`) });
  });
  await context.close();
}
const ask = async (page, text, wait = true) => {
  await page.fill('#question', text);
  await page.keyboard.press('Enter');
  if (wait) await page.waitForFunction(() => !document.querySelector('.answer[aria-busy=true]') && document.querySelector('.foot'));
};
const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

try {
  await open('welcome-light', {}, (page, shot) => shot());
  await open('welcome-dark', { colorScheme: 'dark' }, (page, shot) => shot());
  await open('welcome-zh', { locale: 'zh-CN' }, (page, shot) => shot());
  await open('phone', phone, async (page, shot) => {
    await shot('-welcome');
    await page.click('.sample >> nth=1');
    await page.waitForSelector('.thumbs img');
    await shot('-attached');
    await page.click('.chip >> nth=0');
    await page.waitForSelector('.foot');
    await ask(page, 'markdown');
    await shot('-markdown');
    await page.click('nav button:last-child');
    await shot('-drawer');
  });
  await open('chat', {}, async (page, shot) => {
    await page.click('.sample >> nth=1');
    await page.waitForSelector('.thumbs img');
    await shot('-attached');
    await page.click('.chip >> nth=0');
    await page.waitForSelector('.foot');
    await ask(page, 'markdown please', false);
    await page.waitForTimeout(2500);
    await shot('-streaming');
    await page.waitForFunction(() => document.querySelectorAll('.foot').length === 2);
    await shot('-markdown');
    await ask(page, 'an error please');
    await ask(page, 'lost');
    await shot('-errors');
    await ask(page, 'length');
    await page.hover('.tip >> nth=3');
    await shot('-tip');
  });
  await open('dark', { colorScheme: 'dark' }, async (page, shot) => {
    await page.click('.segmented label:has-text("Thinking")');
    await page.click('.sample >> nth=0');
    await page.waitForSelector('.thumbs img');
    await ask(page, 'Which bar is the highest?', false);
    await page.waitForTimeout(700);
    await shot('-thinking');
    await page.waitForSelector('.foot');
    await shot('-folded');
    await page.click('.reasoning button');
    await ask(page, 'markdown');
    await shot('-markdown');
  });
} finally {
  await browser.close();
  server.kill();
}
