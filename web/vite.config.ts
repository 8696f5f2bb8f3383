// Builds the page to static files: dist/ is committed and embedded into the program, so the same sources must always give
// the same bytes. Names under assets/ carry a hash of the contents, because the server lets browsers keep them for good.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// KaTeX's style sheet names each font in three formats; every browser that runs this page reads woff2.
function woff2Only(): Plugin {
  return {
    name: 'woff2-only',
    enforce: 'pre',
    transform(code, id) {
      if (!/katex.*\.css/.test(id)) return null;
      return { code: code.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\("[a-z]+"\)/g, ''), map: null };
    },
  };
}

export default defineConfig({
  plugins: [woff2Only(), svelte()],
  // Under vitest Svelte must resolve to its browser build: the stores under test use runes outside a server render.
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  build: {
    // The bundled libraries' licences travel with the page.
    license: { fileName: 'licenses.md' },
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      checks: { pluginTimings: false },
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: (asset) =>
          (asset.names[0] ?? '').endsWith('.woff2') ? 'assets/fonts/[name]-[hash][extname]' : 'assets/[name]-[hash][extname]',
      },
    },
  },
  test: {
    environment: 'jsdom',
    include: ['tests/**/*.test.ts'],
  },
});
