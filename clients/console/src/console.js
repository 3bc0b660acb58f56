// Menus, command palette, copy buttons, messages, forms and lists. Pages also work without JavaScript.
import "htmx.org/dist/htmx.esm.js";

import { startForms } from "./forms.js";
import { startMenus } from "./menus.js";
import { startPalette } from "./palette.js";

document.documentElement.classList.add("js");
startMenus();
startPalette();
startForms();
