/** Building elements without a framework. */

type Child = Node | string | null | false;
type Attributes = { [name: string]: string | boolean | EventListener };

/** Return an element. An attribute named `onclick` and the like is a listener. */
export function h(tag: string, attributes: Attributes = {}, ...children: Child[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child): child is Node | string => !!child));
  return element;
}

/** Replace the children of an element. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter((child): child is Node | string => !!child));
}

/** Return a button. */
export function button(text: string, onclick: () => void, className = "", disabled = false): HTMLElement {
  return h("button", { type: "button", class: className, onclick, disabled }, text);
}
