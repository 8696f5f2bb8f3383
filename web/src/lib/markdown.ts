// Markdown to the page, in three steps: markdown-it makes HTML block by block, DOMPurify lets through a short list of
// elements and attributes, and only then code that we trust (KaTeX, the copy buttons) adds to the result.
// A model's answer can repeat whatever a picture told it to, so it counts as hostile.
import DOMPurify from 'dompurify';
import MarkdownIt from 'markdown-it';
import { highlight } from './highlight';
import { fillMath, mathPlugin } from './math';

const md = new MarkdownIt({ html: false, linkify: true, breaks: true });
md.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
md.use(mathPlugin);

const escape = md.utils.escapeHtml;

md.renderer.rules.fence = (tokens, index) => {
  const token = tokens[index]!;
  return codeBlock(token.content, /^[\w+#.-]{1,30}/.exec(token.info.trim())?.[0] ?? '');
};
md.renderer.rules.code_block = (tokens, index) => codeBlock(tokens[index]!.content, '');

function codeBlock(code: string, language: string): string {
  const body = highlight(code.replace(/\n$/, ''), language.toLowerCase()) ?? escape(code.replace(/\n$/, ''));
  return (
    `<div class="code"><div class="code-head"><span class="code-lang">${escape(language)}</span></div>` +
    `<pre tabindex="0"><code class="hljs">${body}</code></pre></div>\n`
  );
}

// A picture in an answer could tell its server that the answer was read: a link in its place, to click or not.
md.renderer.rules.image = (tokens, index) => {
  const token = tokens[index]!;
  const address = String(token.attrGet('src') ?? '');
  const label = escape(token.content || address);
  return /^https?:/i.test(address) ? `<a href="${escape(address)}">${label}</a>` : `<span>${label}</span>`;
};

// Column alignment comes as a style attribute, which the content security policy forbids.
for (const name of ['th_open', 'td_open'] as const) {
  md.renderer.rules[name] = (tokens, index, options, _env, self) => {
    const token = tokens[index]!;
    const side = /text-align:(left|right|center)/.exec(String(token.attrGet('style') ?? ''))?.[1];
    token.attrs = side ? [['class', `ta-${side}`]] : [];
    return self.renderToken(tokens, index, options);
  };
}
md.renderer.rules.table_open = () => '<div class="table" tabindex="0"><table>\n';
md.renderer.rules.table_close = () => '</table></div>\n';

/** The HTML of each top-level block, not yet sanitised: blocks that did not change need not be drawn again. */
export function renderBlocks(source: string): string[] {
  const env = {};
  const tokens = md.parse(source, env);
  const blocks: string[] = [];
  let start = 0;
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    depth += token.nesting;
    if (depth !== 0) continue;
    blocks.push(md.renderer.render(tokens.slice(start, index + 1), md.options, env));
    start = index + 1;
  }
  return blocks;
}

const kTags = [
  'a', 'blockquote', 'br', 'code', 'del', 'div', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'li', 'ol', 'p', 'pre',
  's', 'span', 'strong', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul',
];
// highlight.js marks sub-scopes with a second class that ends in "_" ("hljs-title function_").
const kClass = /^(hljs(-[\w-]+)?|[a-z]+_|code(-head|-lang)?|math(-display)?|table|ta-(left|right|center))$/;

const purify = DOMPurify(window);
purify.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName === 'A') {
    node.setAttribute('target', '_blank');
    node.setAttribute('rel', 'noopener noreferrer');
  }
  const classes = node.getAttribute('class');
  if (classes !== null) {
    node.setAttribute('class', classes.split(/\s+/).filter((name) => kClass.test(name)).join(' '));
  }
});

export function sanitize(html: string): DocumentFragment {
  return purify.sanitize(html, {
    ALLOWED_TAGS: kTags,
    ALLOWED_ATTR: ['href', 'title', 'class', 'start', 'tabindex', 'data-tex'],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
    // Not addresses: without this the expression above would be asked about their values too.
    ADD_URI_SAFE_ATTR: ['start', 'tabindex', 'data-tex'],
    RETURN_DOM_FRAGMENT: true,
  });
}

/** One block as DOM nodes, ready to stand on the page. */
export function blockNodes(html: string, words: { copyCode: string; text: string }): Node[] {
  const fragment = sanitize(html);
  for (const math of fragment.querySelectorAll<HTMLElement>('.math')) fillMath(math);
  for (const head of fragment.querySelectorAll('.code-head')) {
    const label = head.querySelector('.code-lang');
    if (label && label.textContent === '') label.textContent = words.text;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'code-copy';
    button.textContent = words.copyCode;
    head.append(button);
  }
  return [...fragment.childNodes];
}
