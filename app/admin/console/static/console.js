"use strict";
// Every page works without this; it only asks before what cannot be taken back, and reads the
// secret of an invitation from the part of the address that no server sees.
for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });
}
const invitation = document.getElementById("invitation");
if (invitation && location.hash.length > 1) {
  invitation.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}
