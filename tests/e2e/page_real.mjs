// The page with the program behind it: a picture comes in by each way there is, is asked about, and the streamed answers
// are the ones that the reference gives for the demonstration model.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ask, check, dropFiles, equal, finish, freePort, lastAnswer, launch, openPage, pasteFiles, root, run, serve, stop,
} from './harness.mjs';

const docs = process.argv.includes('--screenshots');
const shots = docs ? join(root, 'docs/images') : join(root, 'test-results/e2e');
mkdirSync(shots, { recursive: true });

const samples = join(root, 'models/demo/samples');
const offered = JSON.parse(readFileSync(join(samples, 'index.json'), 'utf8'));
const sample = (file) => ({ name: file, mime: 'image/png', base64: readFileSync(join(samples, file)).toString('base64') });

// QVL_URL: a server that runs already, for trying the script itself.
const base = process.env.QVL_URL ?? `http://127.0.0.1:${await freePort()}`;
const binary = process.env.QVL_BIN ?? join(root, 'build/release/qwen3vl');
const server = process.env.QVL_URL
  ? null
  : await serve(binary, ['serve', '--port', new URL(base).port], `${base}/health`);
const browser = await launch();
const shoot = async (page, name) => {
  await page.mouse.move(0, 0);
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(shots, `${name}.png`) });
};
const chooseMode = (page, name) => page.click(`.segmented label:has-text("${name}")`);

const orders = (list) =>
  list.length < 2 ? [list] : list.flatMap((one, i) => orders(list.toSpliced(i, 1)).map((rest) => [one, ...rest]));

/** Whether an answer is the expected text, or the expected point: its label, and inside the box of what is to be clicked. */
function answers(content, expected) {
  if (typeof expected === 'string' || expected === undefined) return content === expected;
  const [, x, y, label] = /^```json\n\{"point_2d": \[(\d+), (\d+)\], "label": "(.*)"\}\n```$/.exec(content) ?? [];
  const [left, top, right, bottom] = expected.inside;
  return label === expected.label && x >= left && x <= right && y >= top && y <= bottom;
}

async function complete(messages, model = 'demo') {
  const response = await fetch(`${base}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ model, messages }),
  });
  return (await response.json()).choices[0].message.content;
}

try {
  await run('page', {
    'first screen': async () => {
      const policy = (await fetch(base)).headers.get('content-security-policy') ?? '';
      for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'"]) {
        check(`policy has ${part}`, policy.includes(part), policy);
      }
      const { page, problems, close } = await openPage(browser, base);
      await page.waitForSelector('.sample img');
      equal('samples', await page.locator('.sample').count(), offered.length);
      check('says that it is a demonstration', (await page.innerText('.demo')).includes('small demonstration model'));
      check('says how to run a real model', (await page.innerText('.demo')).includes('./webui --model'));
      const loaded = await page.$$eval('.sample img', (list) => list.every((i) => i.complete && i.naturalWidth > 0));
      check('sample pictures load', loaded);
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'every question that the first screen offers is answered right, in whatever order they are clicked': async () => {
      const right = JSON.parse(readFileSync(join(root, 'tests/e2e/sample_answers.json'), 'utf8'));
      for (const { file, questions } of offered) {
        const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${sample(file).base64}` } };
        if (file === 'sum.png') { // what the demonstration model was taught to think about
          for (const question of Object.values(questions).flat()) {
            const content = [picture, { type: 'text', text: question }];
            equal(`${file}: ${question} (thinking)`, await complete([{ role: 'user', content }], 'demo-thinking'), right[file][question]);
          }
        }
        for (const order of Object.values(questions).flatMap(orders)) {
          const messages = [];
          for (const question of order) {
            const text = { type: 'text', text: question };
            messages.push({ role: 'user', content: messages.length === 0 ? [picture, text] : question });
            const content = await complete(messages);
            const expected = right[file]?.[question];
            check(`${file}: ${question} (${messages.length === 1 ? 'first' : 'later'})`, answers(content, expected),
              `${content} instead of ${JSON.stringify(expected)}`);
            messages.push({ role: 'assistant', content });
          }
        }
      }
    },

    'file button, a question, a follow-up about the same picture': async () => {
      const { page, problems, close } = await openPage(browser, base);
      const bodies = [];
      page.on('request', (request) => request.method() === 'POST' && bodies.push(request.postDataJSON()));
      await page.setInputFiles('#picker', join(samples, 'shapes.png'));
      await page.waitForSelector('.thumbs img');
      await ask(page, 'How many objects are there?');
      equal('answer', await lastAnswer(page), 'There are 3 objects.');
      check('figures', /First token [\d.]+ s · [\d.]+ tokens\/s · \d+ tokens/.test(await page.innerText('.figures')),
        await page.innerText('.figures'));
      await ask(page, 'What color is the heart?');
      equal('follow-up', await lastAnswer(page), 'The heart is pink.');
      const figures = await page.innerText('article.turn >> nth=-1 >> .figures');
      check('the time saved by the picture being known', / · [\d.]+ s saved$/.test(figures), figures);
      const messages = bodies[1].messages;
      equal('roles of the second request', messages.map((m) => m.role).join(), 'user,assistant,user');
      equal('the picture goes first', messages[0].content[0].type, 'image_url');
      equal('the follow-up is plain text', messages[2].content, 'What color is the heart?');
      check('streams with usage', bodies[1].stream === true && bodies[1].stream_options.include_usage === true);
      await page.click('article.turn >> nth=-1 >> .foot .tool:has-text("Regenerate")');
      equal('regenerated', await lastAnswer(page), 'The heart is pink.');
      equal('still two turns', await page.locator('article.turn').count(), 2);
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'a conversation longer than the context goes on and says what was left out': async () => {
      const { page, problems, close } = await openPage(browser, base);
      await page.waitForSelector('.sample img');
      for (const word of ['red', 'blue', 'green']) {
        await ask(page, `${word} `.repeat(1200));
        await lastAnswer(page);
        equal(`no failure at ${word}`, await page.locator('.failure').count(), 0);
      }
      const hints = page.locator('article.turn >> nth=-1 >> .hint', { hasText: /answered without the oldest messages \([24]\)\.$/ });
      equal('says so', await hints.count(), 1);
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'drop, and paste': async () => {
      const { page, problems, close } = await openPage(browser, base);
      await page.waitForSelector('.sample img');
      await dropFiles(page, [sample('values.png')]);
      await page.waitForSelector('.thumbs img');
      await ask(page, 'List all values of the chart.');
      equal('chart', await lastAnswer(page), 'Apples: 2\nPears: 5\nPlums: 4\nGrapes: 8');
      await page.click('nav button:has-text("New chat")');
      equal('a new chat is empty', await page.locator('article.turn').count(), 0);
      await pasteFiles(page, [sample('number.png')]);
      await page.waitForSelector('.thumbs img');
      await ask(page, 'What number is shown?');
      equal('text', await lastAnswer(page), '120');
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'a sample and its questions (screenshot)': async () => {
      const { page, problems, close } = await openPage(browser, base);
      await page.waitForSelector('.sample img');
      await page.click('.sample[aria-label*="Coloured shapes"]');
      await page.waitForSelector('.thumbs img');
      await page.click('.chip:has-text("What color is the diamond?")');
      equal('first answer', await lastAnswer(page), 'The diamond is cyan.');
      await page.click('.chip:has-text("What is the leftmost object?")');
      equal('second answer', await lastAnswer(page), 'The leftmost object is a cyan diamond.');
      await shoot(page, 'page-en');
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'thinking (screenshot)': async () => {
      const { page, problems, close } = await openPage(browser, base);
      await page.waitForSelector('.sample img');
      await chooseMode(page, 'Thinking');
      equal('badge', await page.innerText('.badge'), 'Thinking');
      check('the budget appears', (await page.innerText('.settings')).includes('Thinking budget'));
      await page.click('.sample[aria-label*="A sum"]');
      await page.waitForSelector('.thumbs img');
      await page.click('.chip:has-text("Calculate the result.")');
      await page.waitForSelector('.reasoning');
      equal('answer', await lastAnswer(page), '86 - 70 = 16');
      const fold = page.locator('.reasoning button');
      check('says how long it thought', /^Thought for \d+\.\d+ s$/.test((await fold.innerText()).trim()), await fold.innerText());
      equal('folded', await fold.getAttribute('aria-expanded'), 'false');
      await fold.click();
      check('reasoning can be read', (await page.innerText('.reasoning .body')).includes('Tens: 8 - 7 = 1.'));
      await shoot(page, 'page-thinking');
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'Chinese, by the browser and by the switch (screenshot)': async () => {
      const { page, problems, close } = await openPage(browser, base, { locale: 'zh-CN' });
      await page.waitForSelector('.sample img');
      equal('title', await page.innerText('.drop .title'), '看图提问');
      equal('language of the document', await page.getAttribute('html', 'lang'), 'zh-CN');
      await page.click('.sample[aria-label*="柱状图"]');
      await page.waitForSelector('.thumbs img');
      await page.click('.chip:has-text("有几个柱子？")');
      equal('answer', await lastAnswer(page), '有3个柱子。');
      await page.click('.chip:has-text("Wed的柱子是什么颜色？")');
      equal('second answer', await lastAnswer(page), 'Wed的柱子是紫色的。');
      await shoot(page, 'page-zh');
      await page.click('nav .lang');
      equal('switched', await page.getAttribute('html', 'lang'), 'en');
      await page.reload();
      await page.waitForSelector('.sample img');
      equal('kept after a reload', await page.innerText('.drop .title'), 'Ask about a picture');
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'dark': async () => {
      const { page, problems, close } = await openPage(browser, base, { colorScheme: 'dark' });
      const light = () => page.evaluate(() => {
        const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
        return (r + g + b) / 3;
      });
      check('follows the system', (await light()) < 60, String(await light()));
      await chooseMode(page, 'Light');
      check('light by choice', (await light()) > 200, String(await light()));
      await page.reload();
      check('kept after a reload', (await light()) > 200, String(await light()));
      await chooseMode(page, 'Dark');
      check('dark by choice', (await light()) < 60, String(await light()));
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'phone (screenshot)': async () => {
      const { page, problems, close } = await openPage(browser, base, {
        viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true,
      });
      await page.waitForSelector('.sample img');
      const overflow = () => page.evaluate(() =>
        Math.max(document.documentElement.scrollWidth, document.querySelector('.scroll').scrollWidth) - innerWidth);
      check('the first screen fits', (await overflow()) <= 0, String(await overflow()));
      await page.tap('.sample[aria-label*="Coloured shapes"]');
      await page.waitForSelector('.thumbs img');
      await page.tap('.chip:has-text("How many objects are there?")');
      equal('answer', await lastAnswer(page), 'There are 3 objects.');
      check('the conversation fits', (await overflow()) <= 0, String(await overflow()));
      await shoot(page, 'page-phone');
      await page.tap('nav button >> nth=-1');
      await page.waitForSelector('.drawer');
      check('the drawer fits', (await overflow()) <= 0, String(await overflow()));
      await page.keyboard.press('Escape');
      equal('Esc closes the drawer', await page.locator('.drawer').count(), 0);
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'a broken picture is refused in words, and nothing is lost': async () => {
      const { page, problems, close } = await openPage(browser, base, {}, /status of 4\d\d/);
      await page.waitForSelector('.sample img');
      const whole = readFileSync(join(samples, 'shapes.png'));
      await page.setInputFiles('#picker', [{ name: 'torn.png', mimeType: 'image/png', buffer: whole.subarray(0, 60) }]);
      await ask(page, 'What is this?');
      await lastAnswer(page);
      const failure = await page.innerText('.failure p');
      check('the server’s words', failure.length > 10 && !failure.startsWith('HTTP'), failure);
      await page.click('.failure .button:has-text("Edit")');
      equal('the question is back', await page.inputValue('#question'), 'What is this?');
      equal('the picture is back', await page.locator('.thumbs li').count(), 1);
      equal('no problems', problems.join('; '), '');
      await close();
    },
  });
} finally {
  await browser.close();
  if (server) await stop(server);
}
finish();
