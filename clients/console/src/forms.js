// Forms: confirmation of actions that cannot be undone, protection against double submits, and messages.
const ONCE_MS = 3000;
const SHOWN_MS = 8000;

function sendOnce(event) {
  const form = event.target;
  if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) {
    event.preventDefault();
    return;
  }
  if (form.method !== "post") return;
  if (Date.now() - Number(form.dataset.sentAt ?? 0) < ONCE_MS) event.preventDefault();
  else form.dataset.sentAt = Date.now();
}

function fadeOut(message) {
  const timer = setTimeout(() => message.remove(), SHOWN_MS);
  for (const kind of ["mouseenter", "focusin"]) message.addEventListener(kind, () => clearTimeout(timer));
}

export function startForms() {
  document.addEventListener("submit", sendOnce);
  // A page from the back button can be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sentAt;
  });
  for (const message of document.querySelectorAll(".toasts .done")) fadeOut(message);
  for (const select of document.querySelectorAll("[data-submits]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  const invitation = document.getElementById("invitation");
  if (invitation && location.hash.length > 1) {
    invitation.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
  }
  // An error page replaces the whole page, not a part of it.
  document.addEventListener("htmx:responseError", ({ detail }) => {
    if (detail.requestConfig.verb === "get" && detail.target?.id === "list") location.assign(detail.pathInfo.finalRequestPath);
  });
}
