// The page with a made-up server (web/dev/mock_server.mjs): errors, broken streams, stopping, the API key, what hostile
// Markdown may do under the content security policy, scrolling while text streams, and the keyboard.
import { join } from 'node:path';
import { ask, check, dropFiles, equal, finish, freePort, lastAnswer, launch, openPage, root, run, serve, stop } from './harness.mjs';

const start = async (environment) => {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const child = await serve(process.execPath, [join(root, 'web/dev/mock_server.mjs'), String(port)], base, environment);
  return { base, child };
};
const open = await start({});
const locked = await start({ MOCK_KEY: 'sesame' });
const browser = await launch();
const kPng = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const png = (name) => ({ name, mime: 'image/png', base64: kPng });

try {
  await run('states', {
    'Markdown with a table, formulas and code, and no breach of the policy': async () => {
      const { page, problems, close } = await openPage(browser, open.base);
      await ask(page, 'markdown');
      await lastAnswer(page);
      equal('table', await page.locator('.answer table tr').count(), 4);
      check('colours', (await page.locator('.answer .hljs-keyword').count()) > 3);
      // KaTeX places its parts by styles; under the policy they must have come through.
      const placed = await page.$$eval('.katex .vlist > span', (list) => list.filter((e) => e.style.top !== '').length);
      check('formulas keep their styles', placed > 5, String(placed));
      const font = await page.evaluate(() => document.fonts.check('16px KaTeX_Main'));
      check('the font of the formulas is here', font);
      equal('no picture is loaded from elsewhere', await page.locator('.answer img').count(), 0);
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'hostile Markdown stays harmless in a real browser': async () => {
      const { page, problems, close } = await openPage(browser, open.base);
      await page.evaluate(() => (window.hit = 0));
      await ask(page, 'say <img src=x onerror="window.hit=1"> <svg onload="window.hit=1"> [x](javascript:window.hit=1) ' +
        '![b](https://evil.example/b.png) `<script>window.hit=1</script>` $\\href{javascript:window.hit=1}{x}$');
      await lastAnswer(page);
      await page.waitForTimeout(200);
      equal('nothing ran', await page.evaluate(() => window.hit), 0);
      const links = await page.$$eval('.answer a', (list) => list.map((a) => a.href));
      equal('the only link is the picture’s address', links.join(), 'https://evil.example/b.png');
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'an error of the server, and retry': async () => {
      const { page, problems, close } = await openPage(browser, open.base, {}, /status of 400/);
      await dropFiles(page, [png('a.png')]);
      await ask(page, 'an error please');
      await lastAnswer(page);
      equal('its words', (await page.innerText('.failure p')).trim(), 'picture 1 has 90.0 megapixels; at most 64 are allowed');
      await page.click('.failure .button:has-text("Retry")');
      await lastAnswer(page);
      equal('one turn', await page.locator('article.turn').count(), 1);
      equal('its picture is still there', await page.locator('.question img').count(), 1);
      const bodies = [];
      page.on('request', (request) => request.method() === 'POST' && bodies.push(request.postDataJSON()));
      await ask(page, 'next');
      await lastAnswer(page);
      equal('the refused question is not sent again', bodies[0].messages.length, 1);
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'a connection that breaks keeps what had come': async () => {
      const { page, problems, close } = await openPage(browser, open.base, {}, /ERR_INCOMPLETE|ERR_CONNECTION/);
      await ask(page, 'lost');
      await lastAnswer(page);
      // What had come is drawn a moment after the failure is known.
      const drawn = page.locator('article.turn >> nth=-1 >> .answer > .markdown', { hasText: 'you asked: “lost”' });
      check('the text', await drawn.waitFor({ timeout: 5000 }).then(() => true, () => false));
      check('says so', (await page.innerText('.failure')).includes('connection was lost'));
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'a server that is gone': async () => {
      const gone = await start({});
      const { page, problems, close } = await openPage(browser, gone.base, {}, /ERR_CONNECTION/);
      await page.waitForLoadState('networkidle');
      await stop(gone.child);
      await ask(page, 'anyone?');
      await lastAnswer(page);
      check('says so', (await page.innerText('.failure')).includes('can’t be reached'));
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'Esc and the button stop, and the text stays': async () => {
      const { page, problems, close } = await openPage(browser, open.base);
      await ask(page, 'long markdown');
      await page.waitForSelector('.answer table');
      await page.keyboard.press('Escape');
      check('some text', (await lastAnswer(page)).length > 50);
      check('says stopped', (await page.innerText('.answer .note')).includes('Stopped'));
      await ask(page, 'slow');
      await page.click('button[aria-label="Stop"]');
      equal('nothing yet', await lastAnswer(page), '');
      check('can send again', await page.locator('button[aria-label="Send"]').isVisible());
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'the time that a known picture saved, and turns that no longer fit, in both languages': async () => {
      const expected = {
        'en-US': ['4.8 s saved', 'the model answered without the oldest messages (4).'],
        'zh-CN': ['省时 4.8 秒', '模型作答时没有读最早的消息（4 条）。'],
      };
      for (const [locale, [saved, dropped]] of Object.entries(expected)) {
        const { page, problems, close } = await openPage(browser, open.base, { locale });
        const last = (selector) => page.locator(`article.turn >> nth=-1 >> ${selector}`);
        await dropFiles(page, [png('a.png')]);
        await ask(page, 'one');
        await lastAnswer(page);
        check('nothing saved at first', !(await last('.figures').innerText()).includes(saved), await last('.figures').innerText());
        await ask(page, 'two');
        await lastAnswer(page);
        check('saved', (await last('.figures').innerText()).endsWith(` · ${saved}`), await last('.figures').innerText());
        equal('nothing left out so far', await page.locator('.hint').count(), 0);
        await ask(page, 'forgotten');
        await lastAnswer(page);
        check('says what was left out', (await last('.hint').innerText()).trim().endsWith(dropped), await last('.hint').innerText());
        equal('no problems', problems.join('; '), '');
        await close();
      }
    },

    'scrolling up lets go of the end, coming back takes hold': async () => {
      const { page, problems, close } = await openPage(browser, open.base);
      const gap = () => page.$eval('.scroll', (e) => e.scrollHeight - e.scrollTop - e.clientHeight);
      // The text may grow between its drawing and the scrolling after it: the end is reached soon, not at every moment.
      const atEnd = () =>
        page
          .waitForFunction(
            () => {
              const e = document.querySelector('.scroll');
              return e.scrollHeight - e.scrollTop - e.clientHeight < 120;
            },
            null,
            { timeout: 2000 },
          )
          .then(() => true, () => false);
      await ask(page, 'long markdown');
      await page.waitForFunction(() => document.querySelector('.scroll').scrollHeight > 2000);
      check('follows', await atEnd(), String(await gap()));
      await page.mouse.move(400, 300);
      await page.mouse.wheel(0, -600);
      await page.waitForSelector('.latest');
      const top = await page.$eval('.scroll', (e) => e.scrollTop);
      await page.waitForTimeout(600);
      equal('stays where the person is', await page.$eval('.scroll', (e) => e.scrollTop), top);
      await page.click('.latest');
      check('follows again', await atEnd(), String(await gap()));
      await page.keyboard.press('Escape');
      await lastAnswer(page);
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'reasoning is open while it streams and folds when the answer begins': async () => {
      const { page, problems, close } = await openPage(browser, open.base);
      await page.click('.segmented label:has-text("Thinking")');
      const bodies = [];
      page.on('request', (request) => request.method() === 'POST' && bodies.push(request.postDataJSON()));
      await page.fill('.control:has-text("Thinking budget") .value', '512');
      await page.press('.control:has-text("Thinking budget") .value', 'Enter');
      await ask(page, 'one');
      await page.waitForSelector('.reasoning.live .body');
      check('counts', /Thinking… \d/.test(await page.innerText('.reasoning button')));
      await lastAnswer(page);
      equal('folded', await page.locator('.reasoning .body').count(), 0);
      await ask(page, 'two');
      await lastAnswer(page);
      equal('the thinking model', bodies[1].model, 'demo-thinking');
      equal('the budget', bodies[1].thinking_token_budget, 512);
      check('past reasoning is not sent', !JSON.stringify(bodies[1].messages).includes('three bars'));
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'the API key': async () => {
      const { page, problems, close } = await openPage(browser, locked.base, {}, /status of 401/);
      await page.waitForSelector('dialog[open] #key');
      await page.fill('#key', 'wrong');
      await page.keyboard.press('Enter');
      await page.waitForSelector('dialog[open] .refused');
      await page.fill('#key', 'sesame');
      await page.keyboard.press('Enter');
      await page.waitForSelector('dialog[open]', { state: 'detached' }).catch(() => undefined);
      await page.waitForSelector('.badge');
      await ask(page, 'hello');
      check('an answer', (await lastAnswer(page)).includes('hello'));
      const kept = await page.evaluate(() => [sessionStorage.getItem('qwen3vl.key'), JSON.stringify(localStorage)]);
      equal('kept for the tab', kept[0], 'sesame');
      check('not for longer', !kept[1].includes('sesame'));
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'what cannot be attached is explained, the rest is kept': async () => {
      const { page, problems, close } = await openPage(browser, open.base);
      await page.fill('#question', 'typed already');
      await dropFiles(page, [
        { name: 'film.mp4', mime: 'video/mp4', base64: kPng },
        { name: 'notes.pdf', mime: 'application/pdf', base64: kPng },
        { name: 'photo.heic', mime: '', base64: kPng },
        png('good.png'),
      ]);
      equal('two are attached', await page.locator('.thumbs li').count(), 2);
      equal('two warnings', await page.locator('.warning').count(), 2);
      check('videos come later', (await page.innerText('.composer')).includes('later version'));
      equal('the text is kept', await page.inputValue('#question'), 'typed already');
      await dropFiles(page, Array.from({ length: 40 }, (_, i) => png(`p${i}.png`)));
      equal('32 at most', await page.locator('.thumbs li').count(), 32);
      await page.click('.thumbs .remove >> nth=0');
      equal('one removed', await page.locator('.thumbs li').count(), 31);
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'presets, values, and that they are kept': async () => {
      const { page, problems, close } = await openPage(browser, open.base);
      const bodies = [];
      page.on('request', (request) => request.method() === 'POST' && bodies.push(request.postDataJSON()));
      await page.click('.segmented label:has-text("Creative")');
      await ask(page, 'one');
      await lastAnswer(page);
      equal('creative', [bodies[0].temperature, bodies[0].top_p, bodies[0].top_k].join(), '1,0.95,40');
      await page.fill('.control:has-text("Temperature") .value', '0.3');
      await page.press('.control:has-text("Temperature") .value', 'Enter');
      await page.reload();
      await page.waitForSelector('.badge');
      equal('kept', await page.inputValue('.control:has-text("Temperature") .value'), '0.3');
      check('marked as own', await page.locator('.own').isVisible());
      await page.selectOption('#model', 'Qwen3-VL-4B');
      equal('a model without Thinking', await page.locator('.segmented label.off').count(), 1);
      equal('no problems', problems.join('; '), '');
      await close();
    },

    'keyboard alone': async () => {
      const { page, problems, close } = await openPage(browser, open.base);
      await page.waitForSelector('.sample img');
      await page.keyboard.type('first line');
      await page.keyboard.press('Shift+Enter');
      await page.keyboard.type('second line');
      equal('Shift+Enter is a new line', await page.inputValue('#question'), 'first line\nsecond line');
      await page.keyboard.press('Enter');
      await lastAnswer(page);
      equal('Enter sent it', await page.inputValue('#question'), '');
      // Every control can be reached, shows where the focus is, and has a name.
      const seen = new Set();
      for (let i = 0; i < 60; i++) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => {
          const e = document.activeElement;
          if (!e || e === document.body) return null;
          const style = getComputedStyle(e);
          const label = e.closest('label') ? getComputedStyle(e.closest('label')) : style;
          const name = e.getAttribute('aria-label') || e.innerText || e.title ||
            (e.labels && e.labels[0] && e.labels[0].innerText) || e.getAttribute('placeholder') || '';
          const box = e.closest('.box');
          const shown = style.outlineStyle !== 'none' || label.outlineStyle !== 'none' ||
            (e.tagName === 'TEXTAREA' && box && getComputedStyle(box).boxShadow !== 'none');
          return { key: e.outerHTML.slice(0, 200), name: name.trim(), shown };
        });
        if (!at) continue;
        if (seen.has(at.key)) continue;
        seen.add(at.key);
        check('has a name', at.name !== '', at.key);
        check('shows the focus', at.shown, at.key);
      }
      check('many controls', seen.size > 15, String(seen.size));
      equal('no problems', problems.join('; '), '');
      await close();
    },
  });
} finally {
  await browser.close();
  await stop(open.child);
  await stop(locked.child);
}
finish();
