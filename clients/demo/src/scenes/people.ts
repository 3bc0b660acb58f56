/** How scenes begin: with a new person, or with a member. */

import { newPerson } from "../backend";
import type { Phone } from "../phone";
import type { Program } from "../program";
import { SHOP } from "./scene";

/** Put a person on a phone who is unknown to every tenant, and return the name. */
export async function useNewPerson(phone: Phone, appid = SHOP): Promise<string> {
  const person = await newPerson();
  await phone.use(person, appid);
  phone.setOld(false);
  return person;
}

/** Log a new person in and bind by phone. */
export async function useNewMember(phone: Phone, appid = SHOP): Promise<string> {
  const person = await useNewPerson(phone, appid);
  await phone.program.logIn();
  await bindByPhone(phone.program);
  expectScreen(phone.program, "member");
  return person;
}

/** Tap the phone button and allow. */
export async function bindByPhone(program: Program): Promise<void> {
  program.askForPhone();
  await program.answerPhone(true);
}

/** Throw an Error if the mini-program shows another screen. */
export function expectScreen(program: Program, screen: string): void {
  if (program.state.screen !== screen) {
    throw new Error(`${program.state.screen}: ${program.state.message || program.failure}`);
  }
}
