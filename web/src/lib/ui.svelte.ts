// Language and appearance: what the whole page depends on.
import { load, save } from './store';
import { fill, langOf, tables, type Lang, type StringKey } from './strings';

export type Theme = 'system' | 'light' | 'dark';

class Ui {
  lang = $state<Lang>(storedLang() ?? langOf(navigator.languages ?? [navigator.language]));
  theme = $state<Theme>(storedTheme());

  setLang(lang: Lang): void {
    this.lang = lang;
    save('lang', lang);
    this.apply();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    save('theme', theme);
    this.apply();
  }

  /** Puts language and appearance on the document. */
  apply(): void {
    const root = document.documentElement;
    root.lang = this.lang === 'zh' ? 'zh-CN' : 'en';
    if (this.theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = this.theme;
  }
}

function storedLang(): Lang | null {
  const lang = load<unknown>('lang', null);
  return lang === 'en' || lang === 'zh' ? lang : null;
}

function storedTheme(): Theme {
  const theme = load<unknown>('theme', 'system');
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

export const ui = new Ui();

export function t(key: StringKey, values?: Record<string, string | number>): string {
  return fill(tables[ui.lang][key], values);
}
