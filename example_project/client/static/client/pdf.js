// A PDF in PDF.js, which requests only the parts of the file that it shows.

import { element } from "./dom.js";

// The folder of PDF.js on this site. It is empty if its npm package is not installed.
const FOLDER = document.documentElement.dataset.pdfjs;
// A PDF can declare pages of any size, and the memory of a canvas grows with it.
const MAX_CANVAS_PIXELS = 2 ** 24;
const MAX_CANVAS_SIDE = 2 ** 14;

export async function showPdf(place, url) {
  let pdfjs;
  try {
    // The build for browsers of the last years.
    pdfjs = await import(`${FOLDER}build/pdf.min.mjs`);
  } catch {
    place.append(
      element(
        "p",
        {},
        "PDF.js is not installed on this site. The browser’s own viewer can show the file.",
      ),
    );
    return;
  }
  if (!place.isConnected) {
    return; // The user has opened another page in the meantime.
  }
  pdfjs.GlobalWorkerOptions.workerSrc = `${FOLDER}build/pdf.worker.min.mjs`;
  const task = pdfjs.getDocument({
    url,
    // Without these two, PDF.js would read the whole file in the background.
    disableStream: true,
    disableAutoFetch: true,
    // Fonts that a file does not contain come from PDF.js. Those of the system have other widths.
    standardFontDataUrl: `${FOLDER}standard_fonts/`,
    useSystemFonts: false,
    cMapUrl: `${FOLDER}cmaps/`,
    // The Content-Security-Policy of the site does not allow WebAssembly. The decoders of pictures
    // are also in the folder as JavaScript.
    wasmUrl: `${FOLDER}wasm/`,
    useWasm: false,
  });
  // Another page of the client does not need the worker any more.
  document.addEventListener("page-change", () => task.destroy(), { once: true });
  const pdf = await task.promise.catch((error) => {
    throw new Error(`PDF.js cannot show this file: ${error.message}`);
  });
  const { width, height } = (await pdf.getPage(1)).getViewport({ scale: 1 });
  const pages = Array.from({ length: pdf.numPages }, (_, index) => {
    const page = element("div", { className: "pdf-page" });
    // The place of a page that is not rendered yet. Most documents have pages of one size.
    page.style.aspectRatio = `${width} / ${height}`;
    page.dataset.number = index + 1;
    return page;
  });
  place.append(element("div", { className: "pdf" }, ...pages));
  renderVisible(pdf, pages);
}

// Render a page when it is about to be seen.
function renderVisible(pdf, pages) {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) {
          observer.unobserve(target);
          render(pdf, target).catch((error) => {
            target.append(
              element(
                "p",
                { className: "alert", role: "alert" },
                `This page cannot be shown: ${error.message}`,
              ),
            );
          });
        }
      }
    },
    { rootMargin: "50% 0px" },
  );
  pages.forEach((page) => observer.observe(page));
}

async function render(pdf, place) {
  const page = await pdf.getPage(Number(place.dataset.number));
  const { width, height } = page.getViewport({ scale: 1 });
  place.style.aspectRatio = `${width} / ${height}`;
  const wanted = (place.clientWidth / width) * window.devicePixelRatio;
  const scale = Math.min(
    wanted,
    Math.sqrt(MAX_CANVAS_PIXELS / (width * height)),
    MAX_CANVAS_SIDE / Math.max(width, height),
  );
  const viewport = page.getViewport({ scale });
  const label = `Page ${place.dataset.number} of ${pdf.numPages}`;
  const canvas = element("canvas", {
    width: Math.max(1, Math.floor(viewport.width)),
    height: Math.max(1, Math.floor(viewport.height)),
    role: "img",
  });
  canvas.setAttribute("aria-label", label);
  place.append(canvas);
  await page.render({ canvas, viewport }).promise;
  // Screen readers cannot read a canvas.
  const { items } = await page.getTextContent();
  place.append(element("p", { className: "hidden" }, items.map((item) => item.str).join(" ")));
  place.dataset.rendered = "true";
}
