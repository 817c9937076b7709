/** IndexedDB by promises. A promise that is settled in an event's handler runs on before the browser ends the transaction. */

export function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? aborted());
  });
}

/** Resolves when the browser has it; rejects with why it was taken back. */
export function endOf(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? aborted());
  });
}

function aborted(): DOMException {
  return new DOMException('The transaction was aborted.', 'AbortError');
}
