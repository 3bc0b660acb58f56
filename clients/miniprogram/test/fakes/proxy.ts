/** A proxy in front of the service that records requests and injects faults of the network. */

import { request as httpRequest, createServer, IncomingMessage, Server, ServerResponse } from "node:http";
import { AddressInfo } from "node:net";

/** One request that passed the proxy. `status` is 0 until the service has answered. */
export interface Passed {
  method: string;
  path: string;
  token: string;
  body: string;
  status: number;
}

/** What happens to a matching request. */
export interface Fault {
  path: string | RegExp;
  /** How many requests it applies to. Default: 1. */
  times?: number;
  /** Answer instead of the service. */
  answer?: { status: number; header?: Record<string, string>; body?: string };
  /** Pass the request, and cut the connection instead of answering. */
  loseResponse?: boolean;
  /** Answer when this promise resolves. */
  until?: Promise<unknown>;
}

export class Proxy {
  readonly passed: Passed[] = [];
  private faults: Fault[] = [];
  private readonly server: Server;

  constructor(private readonly service: string) {
    this.server = createServer((request, response) => void this.handle(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** Add a fault. Each applies to the next matching requests, in the order of adding. */
  fault(fault: Fault): void {
    this.faults.push({ times: 1, ...fault });
  }

  /** Return the requests to a path, such as "/refresh". */
  to(path: string): Passed[] {
    return this.passed.filter((one) => one.path.split("?")[0].endsWith(path));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray());
    const token = (request.headers.authorization || "").replace("Bearer ", "");
    const passed = { method: request.method!, path: request.url!, token, body: body.toString(), status: 0 };
    this.passed.push(passed);
    const fault = this.take(request.url!);
    if (fault?.answer) {
      const { status, header = { "content-type": "application/json" }, body: text = "" } = fault.answer;
      await fault.until;
      passed.status = status;
      response.writeHead(status, header).end(text);
      return;
    }
    const answer = await this.forward(request, body);
    passed.status = answer.statusCode!;
    const content = Buffer.concat(await answer.toArray());
    await fault?.until;
    if (fault?.loseResponse) request.socket.destroy();
    else response.writeHead(answer.statusCode!, answer.headers).end(content);
  }

  private take(path: string): Fault | undefined {
    const bare = path.split("?")[0];
    const fault = this.faults.find((one) =>
      typeof one.path === "string" ? bare.endsWith(one.path) : one.path.test(bare),
    );
    if (fault && --fault.times! <= 0) this.faults = this.faults.filter((one) => one !== fault);
    return fault;
  }

  private forward(request: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    const { method, headers, url } = request;
    return new Promise((resolve, reject) => {
      const options = { method, headers: { ...headers, connection: "close" } };
      httpRequest(this.service + url, options, resolve).on("error", reject).end(body);
    });
  }
}
