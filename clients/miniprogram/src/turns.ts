/**
 * The order of the operations that change the tokens: one after another, and none after a logout.
 *
 * A logout does not wait for its turn. It begins a new era, in which earlier operations are void.
 */

/** An operation. It gets the era in which it was called. */
type Operation<T> = (born: object) => Promise<T>;

export interface Turns {
  /** Run an operation after those before it. It is not run if another era has begun by then. */
  inTurn<T>(operation: Operation<T>): Promise<T>;
  /** Run an operation in turn, or join one of the same name that has not ended. */
  shared<T>(name: string, operation: Operation<T>): Promise<T>;
  /** Return whether an era is the present one. */
  isPresent(born: object): boolean;
  /** Begin a new era. Its operations wait for none of an earlier era. */
  newEra(): void;
}

/** Return a new order. Operations that are void reject with what `whyVoid` returns. */
export function newTurns(whyVoid: () => unknown): Turns {
  let era = {};
  let queue: Promise<unknown> = Promise.resolve();
  let flights: { [name: string]: Promise<any> } = {};

  function inTurn<T>(operation: Operation<T>): Promise<T> {
    const born = era;
    const turn = queue.then(() => {
      if (born !== era) throw whyVoid();
      return operation(born);
    });
    queue = turn.then(null, () => undefined);
    return turn;
  }

  return {
    inTurn,
    shared(name, operation) {
      if (!flights[name]) {
        const flight = inTurn(operation);
        const land = () => {
          if (flights[name] === flight) delete flights[name];
        };
        flights[name] = flight;
        flight.then(land, land);
      }
      return flights[name];
    },
    isPresent: (born) => born === era,
    newEra() {
      era = {};
      queue = Promise.resolve();
      flights = {};
    },
  };
}
