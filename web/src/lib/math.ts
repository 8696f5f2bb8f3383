// TeX in Markdown: $…$, $$…$$, \(…\), \[…\]. The rules leave placeholders; KaTeX fills them in after sanitising, by
// building DOM nodes whose styles it sets through CSSOM, which a strict content security policy allows.
import katex from 'katex';
import 'katex/dist/katex.css';
import type { MarkdownIt, StateBlock, StateInline } from 'markdown-it';

const kBackslash = 0x5c;
const kDollar = 0x24;

export function mathPlugin(md: MarkdownIt): void {
  md.inline.ruler.before('escape', 'math', inlineRule);
  md.block.ruler.before('fence', 'math', blockRule, { alt: ['paragraph', 'reference', 'blockquote', 'list'] });
  md.renderer.rules.math = (tokens, index) => {
    const token = tokens[index]!;
    return placeholder(md, token.content, token.markup === 'display');
  };
  md.renderer.rules.math_block = (tokens, index) => `${placeholder(md, tokens[index]!.content, true)}\n`;
}

function placeholder(md: MarkdownIt, tex: string, display: boolean): string {
  const text = md.utils.escapeHtml(tex);
  return display
    ? `<div class="math math-display" data-tex="${text}">${text}</div>`
    : `<span class="math" data-tex="${text}">${text}</span>`;
}

function inlineRule(state: StateInline, silent: boolean): boolean {
  const found = inlineMath(state.src, state.pos, state.posMax);
  if (!found) return false;
  if (!silent) {
    const token = state.push('math', 'span', 0);
    token.content = found.tex;
    token.markup = found.display ? 'display' : 'inline';
  }
  state.pos = found.end;
  return true;
}

interface Found {
  tex: string;
  end: number;
  display: boolean;
}

/** The formula that starts at `pos`, if one does. Exported for its tests. */
export function inlineMath(src: string, pos: number, max: number = src.length): Found | null {
  const c = src.charCodeAt(pos);
  if (c === kBackslash) {
    const open = src[pos + 1];
    if (open !== '(' && open !== '[') return null;
    return until(src, pos + 2, max, open === '(' ? '\\)' : '\\]', open === '[');
  }
  if (c !== kDollar) return null;
  if (src[pos + 1] === '$') return until(src, pos + 2, max, '$$', true);
  return dollarMath(src, pos, max);
}

function until(src: string, start: number, max: number, close: string, display: boolean): Found | null {
  const at = src.indexOf(close, start);
  if (at < 0 || at + close.length > max) return null;
  const tex = src.slice(start, at).trim();
  return tex === '' ? null : { tex, end: at + close.length, display };
}

// A dollar is money more often than mathematics: pandoc's rule. The opening one touches what follows, the closing one
// what precedes, and no digit follows it.
function dollarMath(src: string, pos: number, max: number): Found | null {
  if (pos + 1 >= max || /\s/.test(src[pos + 1]!)) return null;
  for (let i = pos + 1; i < max; i++) {
    const c = src[i]!;
    if (c === '\\') {
      i++;
    } else if (c === '$') {
      if (/\s/.test(src[i - 1]!) || /[0-9]/.test(src[i + 1] ?? '')) return null;
      return { tex: src.slice(pos + 1, i), end: i + 1, display: false };
    } else if (c === '\n' && src[i + 1] === '\n') {
      return null;
    }
  }
  return null;
}

function blockRule(state: StateBlock, startLine: number, endLine: number, silent: boolean): boolean {
  const start = state.bMarks[startLine]! + state.tShift[startLine]!;
  const first = state.src.slice(start, state.eMarks[startLine]!);
  const close = first.startsWith('$$') ? '$$' : first.startsWith('\\[') ? '\\]' : '';
  if (close === '' || state.sCount[startLine]! - state.blkIndent >= 4) return false;
  let line = startLine;
  let text = first.slice(2);
  const lines: string[] = [];
  for (;;) {
    const at = text.indexOf(close);
    if (at >= 0) {
      // Words after the formula on its last line: the paragraph's business.
      if (text.slice(at + 2).trim() !== '') return false;
      lines.push(text.slice(0, at));
      break;
    }
    lines.push(text);
    line++;
    if (line >= endLine || state.sCount[line]! < state.blkIndent) return false;
    text = state.src.slice(state.bMarks[line]! + state.tShift[line]!, state.eMarks[line]!);
  }
  if (silent) return true;
  const token = state.push('math_block', 'div', 0);
  token.content = lines.join('\n').trim();
  token.map = [startLine, line + 1];
  token.block = true;
  state.line = line + 1;
  return true;
}

/** Renders the formula of a placeholder into it. A formula with an error shows its source. */
export function fillMath(element: HTMLElement): void {
  const tex = element.dataset.tex ?? '';
  element.textContent = '';
  try {
    katex.render(tex, element, {
      displayMode: element.classList.contains('math-display'),
      throwOnError: true,
      trust: false,
      strict: false,
      maxSize: 20,
      maxExpand: 500,
    });
  } catch {
    element.textContent = tex;
    element.classList.add('math-raw');
  }
}
