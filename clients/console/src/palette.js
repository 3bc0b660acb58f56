// The command palette: a dialog with the search page's results, operated with the arrow keys.
export function startPalette() {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const field = dialog.querySelector("input");

  function open() {
    if (!dialog.open) dialog.showModal();
    field.select();
  }

  function move(step) {
    const hits = [...dialog.querySelectorAll(".hits a")];
    if (!hits.length) return;
    const present = hits.findIndex((hit) => hit.classList.contains("is-chosen"));
    hits[present]?.classList.remove("is-chosen");
    const next = hits[(present + step + hits.length) % hits.length];
    next.classList.add("is-chosen");
    next.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", next.id);
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".palette-button")) return;
    event.preventDefault();
    open();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    }
    // A search field would only be cleared.
    if (event.key === "Escape") dialog.close();
    const chosen = dialog.querySelector(".is-chosen") ?? dialog.querySelector(".hits a");
    if (event.key === "Enter" && chosen) {
      event.preventDefault();
      chosen.click();
    }
  });
}
