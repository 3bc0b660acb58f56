// Runs a server in as many processes as the variable PROCESSES says. They share one port.
import cluster from "node:cluster";

export function serve(start) {
  const processes = Number(process.env.PROCESSES);
  if (processes === 1 || cluster.isWorker) {
    start();
    return;
  }
  for (let number = 0; number < processes; number += 1) cluster.fork();
  // A measurement with fewer processes would be wrong.
  cluster.on("exit", () => process.exit(1));
}
