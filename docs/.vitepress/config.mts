// The site of the documentation: `npm run docs` serves it, `npm run docs:build` builds it.
import { type DefaultTheme, defineConfig, type LocaleSpecificConfig } from 'vitepress';
import * as chinese from './chinese.js';
import { type Language, nav, sidebar } from './pages.js';
import { slug } from './slug.js';

const REPOSITORY = 'https://github.com/eggjs/egg-socket.io';

function themeOf(language: Language, editText: string): DefaultTheme.Config {
  return {
    nav: nav(language),
    sidebar: sidebar(language),
    editLink: { pattern: `${REPOSITORY}/edit/master/docs/:path`, text: editText },
  };
}

const english: LocaleSpecificConfig<DefaultTheme.Config> = {
  description: 'Socket.IO 4 for Egg.js: middleware, controllers and routes for real-time events',
  themeConfig: themeOf('en', 'Edit this page'),
};

const inChinese: LocaleSpecificConfig<DefaultTheme.Config> = {
  description: 'Egg.js 的 Socket.IO 4 插件：用中间件、控制器和路由处理实时事件',
  themeConfig: { ...themeOf('zh-CN', '编辑此页'), ...chinese.theme },
};

/** Splits a text into words, as the search does by default. Chinese has no spaces between words. */
function tokenize(text: string): string[] {
  const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });
  return text
    .split(/[\s\p{P}\p{S}]+/u)
    .flatMap((word) =>
      /\p{Script=Han}/u.test(word) ? Array.from(segmenter.segment(word), ({ segment }) => segment) : word,
    );
}

export default defineConfig({
  title: 'egg-socket.io',
  lang: 'en',
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: '/egg.svg' }]],
  // Code for the recipes, which the pages link to on GitHub.
  srcExclude: ['recipes/**'],
  ignoreDeadLinks: 'localhostLinks',
  locales: {
    en: { label: 'English', lang: 'en', ...english },
    'zh-CN': { label: '简体中文', lang: 'zh-CN', ...inChinese },
  },
  themeConfig: {
    logo: '/egg.svg',
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    search: {
      provider: 'local',
      options: { locales: { 'zh-CN': { translations: chinese.search } }, miniSearch: { options: { tokenize } } },
    },
  },
  markdown: { anchor: { slugify: slug } },
  // The index of the search is larger than 500 kB, of which Vite would warn.
  vite: { build: { chunkSizeWarningLimit: 2_000 } },
  buildEnd({ logger }) {
    if (logger.hasWarned) throw new Error('the build has printed warnings');
  },
});
