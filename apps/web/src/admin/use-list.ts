import { useCallback, useEffect, useState } from 'react';
import type { List, Routes } from './routes.ts';

export interface Listed<Row> {
  readonly rows: readonly Row[];
  readonly state: 'loading' | 'ready' | 'failed';
  readonly error: string | undefined;
  readonly hasMore: boolean;
  /** The next page, behind those before. */
  readonly more: () => void;
  /** The first page again. */
  readonly reload: () => void;
}

/** The rows of a list, page by page. */
export function useList<Row>(routes: Routes, path: string): Listed<Row> {
  const [pages, setPages] = useState<readonly List<Row>[]>([]);
  const [state, setState] = useState<Listed<Row>['state']>('loading');
  const [error, setError] = useState<string>();
  const next = pages.at(-1)?.next ?? null;

  const load = useCallback(
    (cursor: string | null) => {
      let isOver = false;
      setState('loading');
      const query = cursor === null ? '' : `&cursor=${cursor}`;
      routes.get<List<Row>>(`${path}?limit=20${query}`).then(
        (page) => {
          if (isOver) return;
          setPages((before) => (cursor === null ? [page] : [...before, page]));
          setState('ready');
        },
        (problem: unknown) => {
          if (isOver) return;
          setError(problem instanceof Error ? problem.message : String(problem));
          setState('failed');
        },
      );
      return () => void (isOver = true);
    },
    [routes, path],
  );
  useEffect(() => load(null), [load]);

  return {
    ...{ state, error, rows: pages.flatMap(({ rows }) => rows), hasMore: next !== null },
    more: () => void load(next),
    reload: () => void load(null),
  };
}
