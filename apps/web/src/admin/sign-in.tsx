import { useState, type FormEvent } from 'react';
import { operatorToken, Routes } from './routes.ts';

export function SignIn({ onToken }: { readonly onToken: (token: string) => void }) {
  const [problem, setProblem] = useState<string>();
  const [pasted, setPasted] = useState('');

  /** One that the server does not take is told here, once, and not by each part of the page. */
  const enter = async (given: Promise<string>): Promise<void> => {
    try {
      const token = await given;
      await new Routes(token).get('status');
      onToken(token);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const withPasted = (event: FormEvent): void => {
    event.preventDefault();
    if (pasted.trim() !== '') void enter(Promise.resolve(pasted.trim()));
  };

  return (
    <section className="panel" aria-labelledby="sign-in">
      <h2 id="sign-in">Sign in</h2>
      <p>
        These routes are for operators: a token with <code>&quot;role&quot;: &quot;operator&quot;</code>.
      </p>
      <p className="act">
        <button className="main" onClick={() => void enter(operatorToken())}>
          Sign in as Olga, an operator
        </button>
      </p>
      <form className="act" onSubmit={withPasted}>
        <label>
          Or paste a token <input value={pasted} onChange={({ target }) => setPasted(target.value)} />
        </label>
        <button>Use it</button>
      </form>
      {problem !== undefined && (
        <p role="alert" className="bad">
          {problem}
        </p>
      )}
    </section>
  );
}
