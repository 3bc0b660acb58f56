/** The simulator's API of the demo. */

export interface DemoApp {
  appid: string;
  name: string;
}

export interface DemoTenant {
  slug: string;
  name: string;
  apps: DemoApp[];
  users: { account: string; password: string }[];
}

export interface Person {
  name: string;
  nickname: string;
  phone: string;
}

/** Post JSON, and return the JSON answer. Throw an Error with the simulator's text otherwise. */
export async function post(path: string, body: object = {}): Promise<any> {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`api/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** Get JSON. */
export async function get(path: string): Promise<any> {
  return (await fetch(`api/${path}`)).json();
}

/** Return the demo tenants and the address of the service. */
export function tenants(): Promise<{ tenants: DemoTenant[]; service: string }> {
  return get("tenants");
}

/** Return the people with WeChat on a phone. */
export async function people(): Promise<Person[]> {
  return (await get("people")).people;
}

/** Add a person who is unknown to the tenants, and return the name. */
export async function newPerson(): Promise<string> {
  return (await post("people")).name;
}
