// VitePress's own theme in the colours of the chat example.
import DefaultTheme from 'vitepress/theme';
import './style.css';

export default DefaultTheme;
