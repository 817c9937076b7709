import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { AdminPage } from './admin-page.tsx';

createRoot(document.getElementById('page') ?? document.body).render(
  <StrictMode>
    <AdminPage />
  </StrictMode>,
);
