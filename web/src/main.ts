import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { ui } from './lib/ui.svelte';

ui.apply();
mount(App, { target: document.getElementById('app')! });
