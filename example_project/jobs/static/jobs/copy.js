// The button that copies the link. Without JavaScript, the link is selected by hand.
"use strict";

for (const button of document.querySelectorAll("[data-copies]")) {
  const input = document.getElementById(button.dataset.copies);
  const status = document.getElementById("copy-status");
  button.hidden = false;
  button.addEventListener("click", async () => {
    input.select();
    try {
      await navigator.clipboard.writeText(input.value);
      status.textContent = "The link has been copied.";
    } catch {
      status.textContent = "The browser does not allow to copy. The link is selected: press Ctrl+C.";
    }
  });
}
