import { uuid, type Random } from './random';

/** The document of every row: about 100 bytes of JSON. */
export interface Note {
  readonly title: string;
  readonly done: boolean;
  /** 60 characters. */
  readonly note: string;
  readonly qty: number;
}

/** One change as a device sends it. */
export interface NoteChange {
  readonly collection: string;
  readonly operation: 'upsert';
  readonly doc_id: string;
  readonly data: Note;
  readonly mutation_id: string;
}

export const NOTES = 'notes';
/** The same documents with a Mongoose schema. */
export const TASKS = 'tasks';

const WORDS = 'milk bread apples order invoice paint call visit repair ship count stock clean'.split(' ');

export function note(random: Random): Note {
  const word = (): string => WORDS[Math.floor(random() * WORDS.length)] ?? '';
  let text = '';
  while (text.length < 60) text += `${word()} `;
  return {
    title: `${word()} ${word()}`,
    done: random() < 0.5,
    note: text.slice(0, 60),
    qty: Math.floor(random() * 1000),
  };
}

export function noteChanges(
  random: Random,
  count: number,
  firstMutation: number,
  collection = NOTES,
): NoteChange[] {
  return Array.from({ length: count }, (_, index) => ({
    collection,
    operation: 'upsert',
    doc_id: uuid(random),
    data: note(random),
    mutation_id: String(firstMutation + index),
  }));
}
