import { Observable as Stream } from 'rxjs';
import type { Observable } from '../observable.ts';

/**
 * An observable of the client (a live query, `client.status`, refused changes) as one of RxJS, for Angular and Ionic: what it
 * says now to each subscriber, and then each change. It never ends and never fails.
 */
export function stream<T>(observable: Observable<T>): Stream<T> {
  return new Stream((subscriber) => {
    // A live query begins with its first subscriber, and may say something at once.
    const leave = observable.subscribe((value) => subscriber.next(value));
    subscriber.next(observable.current);
    return leave;
  });
}
