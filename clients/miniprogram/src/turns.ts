/**
 * A queue of the operations that change the tokens. They run one after another.
 *
 * A logout does not wait in the queue: it cancels all operations in it.
 */

/** The operations between two cancellations. */
type Generation = object;
/** An operation. It gets the generation in which it was called. */
type Operation<T> = (generation: Generation) => Promise<T>;

export interface Turns {
  /** Run an operation after those before it, unless it is cancelled first. */
  inTurn<T>(operation: Operation<T>): Promise<T>;
  /** Run an operation in turn, or join one of the same name that has not ended. */
  shared<T>(name: string, operation: Operation<T>): Promise<T>;
  /** Return whether no cancellation came after the operations of a generation. */
  isCurrent(generation: Generation): boolean;
  /** Cancel all operations. Later ones do not wait for those that still run. */
  cancel(): void;
}

/** Return a new queue. Cancelled operations reject with what `whyCancelled` returns. */
export function newTurns(whyCancelled: () => unknown): Turns {
  let current: Generation = {};
  let queue: Promise<unknown> = Promise.resolve();
  let running: { [name: string]: Promise<any> } = {};

  function inTurn<T>(operation: Operation<T>): Promise<T> {
    const generation = current;
    const turn = queue.then(() => {
      if (generation !== current) throw whyCancelled();
      return operation(generation);
    });
    queue = turn.then(null, () => undefined);
    return turn;
  }

  return {
    inTurn,
    shared(name, operation) {
      if (!running[name]) {
        const started = inTurn(operation);
        const remove = () => {
          if (running[name] === started) delete running[name];
        };
        running[name] = started;
        started.then(remove, remove);
      }
      return running[name];
    },
    isCurrent: (generation) => generation === current,
    cancel() {
      current = {};
      queue = Promise.resolve();
      running = {};
    },
  };
}
