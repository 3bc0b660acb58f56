// Menus close on Escape and on a click elsewhere. The sidebar opens without a new history entry.
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
}

function toggleSidebar(isOpen) {
  const sidebar = document.getElementById("menu");
  sidebar?.classList.toggle("is-open", isOpen);
  if (isOpen) sidebar.querySelector("a, summary, button").focus();
  else document.querySelector(".menu-button")?.focus();
}

function copy(button) {
  navigator.clipboard?.writeText(button.dataset.copy).then(() => {
    button.classList.add("copied");
    const label = button.getAttribute("aria-label");
    button.setAttribute("aria-label", button.dataset.copied);
    setTimeout(() => {
      button.classList.remove("copied");
      button.setAttribute("aria-label", label);
    }, 2000);
  });
}

export function startMenus() {
  document.addEventListener("click", (event) => {
    closeMenus(event.target);
    const { target } = event;
    const copied = target.closest("[data-copy]");
    if (copied) copy(copied);
    if (target.closest("[data-dismiss]")) target.closest(".toast-note").remove();
    const opens = target.closest(".menu-button");
    if (opens || target.closest(".sidebar-close, .scrim")) {
      event.preventDefault();
      toggleSidebar(Boolean(opens));
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.menu[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (document.querySelector(".sidebar.is-open")) toggleSidebar(false);
  });
  // Opening a menu with a search field moves the focus there.
  document.addEventListener("toggle", ({ target }) => {
    if (target.open) target.querySelector("input[type=search]")?.focus();
  }, true);
}
