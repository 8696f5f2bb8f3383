// Renders the sheets that scenes.py wrote: each FOLDER/*.html to a PNG, with the boxes of what is marked on it.
//   web/node.sh tools/demo_model/render/browser.mjs FOLDER      (CHROMIUM: /usr/bin/chromium)
// Boxes are in CSS pixels from the scene's corner. A scene whose text does not fit its element is reported as not fitting.
import { readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from '../../../tests/e2e/harness.mjs';

function measure() {
  const pen = document.createElement('canvas').getContext('2d');
  const round = (v) => Math.round(v * 10) / 10;
  const ordered = '0123456789+-×=ABCDEFGHJKLMNPQRSTUVWXYZ'; // canvas.py: characters whose order is a label of its own
  return [...document.querySelectorAll('.scene')].map((scene) => {
    const home = scene.getBoundingClientRect();
    const place = (r) => [r.left - home.left, r.top - home.top, r.right - home.left, r.bottom - home.top].map(round);
    const boxes = {};
    const tags = [];
    let fits = true;
    for (const e of scene.querySelectorAll('[data-box],[data-tag]')) {
      const box = place(e.getBoundingClientRect());
      if (e.dataset.box) boxes[e.dataset.box] = box;
      for (const name of (e.dataset.tag ?? '').split('|')) if (name) tags.push([...box, name]);
      if (box[0] < -1 || box[1] < -1 || box[2] > home.width + 1 || box[3] > home.height + 1) fits = false;
      if (!e.ownerSVGElement && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0) fits = false;
    }
    for (const e of scene.querySelectorAll('.win,.body')) if (e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1) fits = false;
    const label = (box, text, i) => {
      tags.push([...box, 'char:' + text[i]]);
      if (i < 6 && ordered.includes(text[i])) tags.push([...box, `${i}:${text[i]}`]);
    };
    for (const e of scene.querySelectorAll('input[type=text]')) { // what stands in a field is no text node
      const look = getComputedStyle(e);
      const [left, top, , bottom] = place(e.getBoundingClientRect());
      pen.font = look.font;
      const x = left + parseFloat(look.paddingLeft) + parseFloat(look.borderLeftWidth);
      const edge = (n) => round(x + pen.measureText(e.value.slice(0, n)).width);
      if (e.value) tags.push([edge(0), top, edge(e.value.length), bottom, 'text:' + e.value]);
      for (let i = 0; i < e.value.length; ++i) label([edge(i), top + 3, edge(i + 1), bottom - 3], e.value, i);
    }
    const walk = document.createTreeWalker(scene, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    for (let node; (node = walk.nextNode()); ) {
      const text = node.data.trim();
      const first = node.data.indexOf(text);
      for (let i = 0; i < text.length; ++i) {
        if (text[i].trim() === '') continue;
        range.setStart(node, first + i);
        range.setEnd(node, first + i + 1);
        const box = place(range.getBoundingClientRect());
        label(box, text, i);
        if (box[0] < -1 || box[1] < -4 || box[2] > home.width + 1 || box[3] > home.height + 4) fits = false;
      }
    }
    return { id: scene.id, fits, boxes, tags };
  });
}

const folder = resolve(process.argv[2]);
const browser = await launch();
try {
  for (const name of readdirSync(folder).filter((n) => n.endsWith('.html')).sort()) {
    const base = join(folder, name.slice(0, -5));
    const ratio = Number(/x(\d(?:\.\d+)?)$/.exec(base)[1]);
    const page = await browser.newPage({ deviceScaleFactor: ratio, viewport: { width: 1100, height: 900 } });
    await page.goto(pathToFileURL(base + '.html').href);
    await page.screenshot({ path: base + '.png', fullPage: true });
    writeFileSync(base + '.boxes.json', JSON.stringify(await page.evaluate(measure)));
    await page.close();
  }
} finally {
  await browser.close();
}
