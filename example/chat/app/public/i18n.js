// Translates the page if the language of the browser is Chinese. The English texts, also those of the server, are the keys of the table.
const CHINESE = {
  // The form
  'Egg chat': 'Egg 聊天室',
  'Socket.IO on Egg.js. Choose a nickname and come in.': '用 Egg.js 和 Socket.IO 搭建。起个昵称，进来聊聊吧。',
  Nickname: '昵称',
  'Enter the chat': '进入聊天室',
  'A nickname has 1 to 24 letters, digits, spaces, dots or dashes.':
    '昵称只能包含 1 到 24 个文字、数字、空格、点或连字符。',
  'Somebody here has this nickname already.': '这个昵称已经有人在用。',
  // Rooms and people
  'Rooms and people': '房间和成员',
  Rooms: '房间',
  Lobby: '大厅',
  Help: '求助',
  Random: '闲聊',
  'New room': '新房间',
  'Name of a new room': '新房间的名称',
  'Create the room': '创建房间',
  'Who is here': '在线成员',
  worker: '进程',
  'Egg’s workers are processes that share the connections. Users of different workers meet in the same rooms.':
    'Egg 的多个 worker 进程分担所有连接。不同进程上的用户可以在同一个房间里聊天。',
  '{0} (you)': '{0}（我）',
  wave: '招手',
  'Wave at {0}': '向 {0} 招手',
  'You are': '我是',
  Leave: '退出',
  Close: '关闭',
  '1 person': '1 人',
  '{0} people': '{0} 人',
  // The conversation
  'Connecting…': '正在连接…',
  Messages: '消息',
  Message: '消息',
  'Write a message (or /fail)': '输入消息（试试 /fail）',
  Send: '发送',
  Dismiss: '关闭提示',
  'Nobody has written here yet.': '这里还没有消息。',
  'Open this page in a second browser, or in a private window, and talk to yourself.':
    '在另一个浏览器或无痕窗口中打开本页面，就可以和自己聊天了。',
  '{0} joined': '{0} 进来了',
  '{0} left': '{0} 离开了',
  '{0} waves at you': '{0} 向你招手',
  'You wave at {0}': '你向 {0} 招手',
  '{0} could not be reached.': '联系不上 {0}。',
  '{0} is typing…': '{0} 正在输入…',
  '{0} are typing…': '{0} 正在输入…',
  'Several people are typing…': '多人正在输入…',
  // The connection, and errors of the server
  'The connection is lost. Reconnecting…': '连接已断开，正在重新连接…',
  'The server can’t be reached. Reconnecting…': '无法连接服务器，正在重试…',
  'Connected again': '已重新连接',
  'Reload the page.': '请刷新页面。',
  'Choose a nickname first.': '请先起一个昵称。',
  'Enter a room first.': '请先进入一个房间。',
  'A message has 1 to 500 characters.': '消息的长度为 1 到 500 个字符。',
  "A room's name has 1 to 24 letters, digits, spaces, dots or dashes.":
    '房间名称只能包含 1 到 24 个文字、数字、空格、点或连字符。',
  'This always fails: you typed /fail.': '你输入了 /fail，这个命令总是会出错。',
};

export const LANGUAGE = navigator.language.startsWith('zh') ? 'zh-CN' : 'en';
const texts = new Map(LANGUAGE === 'en' ? [] : Object.entries(CHINESE));

/** Returns a text in the language of the page. `{0}` is replaced by the value. */
export function t(text, value) {
  return (texts.get(text) ?? text).replace('{0}', () => value);
}

// In HTML, the attribute data-t marks what is translated: the text of the element, or its attributes.
document.documentElement.lang = LANGUAGE;
for (const element of document.querySelectorAll('[data-t]')) {
  for (const name of ['aria-label', 'placeholder'])
    if (element.hasAttribute(name)) element.setAttribute(name, t(element.getAttribute(name)));
  if (element.childElementCount === 0) element.textContent = t(element.textContent);
}
