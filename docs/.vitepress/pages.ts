// The pages of the site in the order of the sidebar, with their titles in both languages. Recipes are listed by their headings.
import fs from 'node:fs';
import path from 'node:path';

export type Language = 'en' | 'zh-CN';
type Titles = [en: string, zh: string];
type Links = { text: string; link: string }[];

interface Group {
  title: Titles;
  pages: Record<string, Titles>;
}

const GROUPS: Group[] = [
  {
    title: ['Start', '入门'],
    pages: { 'getting-started': ['Getting started', '快速入门'] },
  },
  {
    title: ['Events', '事件'],
    pages: {
      middleware: ['Middleware', '中间件'],
      controllers: ['Controllers and routing', '控制器与路由'],
      errors: ['Acks and errors', '应答与错误'],
      context: ['Context and session', '上下文与会话'],
      namespaces: ['Namespaces', '命名空间'],
    },
  },
  {
    title: ['Users and presence', '用户与在线状态'],
    pages: { users: ['Users', '用户'], presence: ['Presence', '在线状态'] },
  },
  {
    title: ['Types and tests', '类型与测试'],
    pages: {
      types: ['Types', '类型'],
      validation: ['Validation', '参数校验'],
      tegg: ['tegg', 'tegg'],
      testing: ['Testing', '测试'],
    },
  },
  {
    title: ['Production', '生产环境'],
    pages: {
      deployment: ['Deployment', '部署'],
      redis: ['Redis', 'Redis'],
      reliability: ['Reliability', '可靠性'],
      limits: ['Limits', '限流'],
      security: ['Security', '安全'],
      observability: ['Observability', '可观测性'],
    },
  },
  {
    title: ['Reference', '参考'],
    pages: {
      configuration: ['Configuration', '配置'],
      clients: ['Clients', '客户端'],
      migration: ['Coming from 4.x', '从 4.x 升级'],
      troubleshooting: ['Troubleshooting', '问题排查'],
      internals: ['Internals', '内部实现'],
    },
  },
];
const RECIPES: Titles = ['Recipes', '实例'];
/** The order of the recipes. Others follow. */
const ORDER = [
  'jwt',
  'passport',
  'online',
  'notify',
  'schedule',
  'validation',
  'rate-limit',
  'files',
  'reconnecting',
  'vite-react',
  'logging-metrics',
  'mini-program',
];
const IN_NAV = ['configuration', 'troubleshooting', 'migration'];

const titleIn = (language: Language, [en, zh]: Titles) => (language === 'en' ? en : zh);

function linksOf(language: Language, pages: Record<string, Titles>): Links {
  return Object.entries(pages).map(([name, titles]) => ({
    text: titleIn(language, titles),
    link: `/${language}/${name}`,
  }));
}

function recipes(language: Language): Links {
  const directory = path.join(__dirname, '..', language, 'recipes');
  if (!fs.existsSync(directory)) return [];
  const names = fs.readdirSync(directory).map((file) => path.parse(file).name);
  const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return names
    .sort((one, other) => rank(one) - rank(other))
    .map((name) => {
      const text = fs.readFileSync(path.join(directory, `${name}.md`), 'utf8');
      return { text: /^# (.*)$/m.exec(text)?.[1] ?? name, link: `/${language}/recipes/${name}` };
    });
}

export function sidebar(language: Language): { text: string; items: Links }[] {
  const groups = GROUPS.map(({ title, pages }) => ({
    text: titleIn(language, title),
    items: linksOf(language, pages),
  }));
  const all = [...groups, { text: titleIn(language, RECIPES), items: recipes(language) }];
  return all.filter(({ items }) => items.length > 0);
}

export function nav(language: Language): Links {
  const pages = Object.assign({}, ...GROUPS.map((group) => group.pages)) as Record<string, Titles>;
  const chosen = Object.fromEntries(IN_NAV.map((name) => [name, pages[name] as Titles]));
  const [guide] = linksOf(language, { 'getting-started': ['Guide', '指南'] }) as [Links[number]];
  const [recipe] = recipes(language).slice(0, 1);
  const first = recipe ? [guide, { ...recipe, text: titleIn(language, RECIPES) }] : [guide];
  return [...first, ...linksOf(language, chosen)];
}
