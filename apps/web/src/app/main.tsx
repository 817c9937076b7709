import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { Installation } from './installation.ts';

createRoot(document.getElementById('app') ?? document.body).render(<App installation={new Installation()} />);
