import { nothingToHeal, type Injector } from './injector';

const MESSAGES = 3;

/** Requests of clients, to one server, break off in their middle. */
export const requestsCut: Injector = ({ servers }, { target }) => inMidMessage(servers, target, 'requests');

/** Answers and stream messages to clients, from one server, break off in their middle. */
export const answersCut: Injector = ({ servers }, { target }) => inMidMessage(servers, target, 'answers');

/** Every connection of a client to one server, streams too. */
export const socketsCut: Injector = ({ servers }, { target }) => {
  servers[target % servers.length]?.proxy.cutAll();
  return nothingToHeal;
};

function inMidMessage(
  servers: Parameters<Injector>[0]['servers'],
  target: number,
  which: 'requests' | 'answers',
): ReturnType<Injector> {
  const proxy = servers[target % servers.length]?.proxy;
  proxy?.cutInMidMessage(which, MESSAGES);
  return () => proxy?.cutInMidMessage(which, 0);
}
