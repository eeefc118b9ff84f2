// Tables, code and pictures that are wider than the window are scrolled with the keyboard.
for (const region of document.querySelectorAll(".table-wrapper, .highlight pre, figure.wide")) {
  if (region.scrollWidth > region.clientWidth) {
    region.tabIndex = 0;
  }
}
