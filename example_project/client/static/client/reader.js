// One file: a PDF in PDF.js, a picture, or a text.
//
// The token is sent for the record and for a signed link. The content is requested by the link,
// which stays valid while a long PDF is read and the token expires.

import { element, formatSize } from "./dom.js";
import { Refused } from "./errors.js";
import { showPdf } from "./pdf.js";
import { request } from "./session.js";

export const title = "File";

const REFUSALS = {
  403: "You may not read this file. Only its owner and the staff may.",
  404: "This file does not exist.",
};

export async function show(main, { argument: path }) {
  const { record, link } = await open(path);
  const place = element("div", { id: "content" });
  main.append(
    element("p", { className: "lead" }, `${record.name}, ${formatSize(record.size)}`),
    place,
    element(
      "p",
      { className: "actions" },
      element(
        "a",
        { href: link.url, target: "_blank", rel: "noopener" },
        "Open in the browser’s own viewer",
      ),
      element("a", { href: "#/" }, "Back to your applications"),
    ),
  );
  await showContent(place, record, link.url);
  return `${record.name} is open`;
}

async function open(path) {
  try {
    const record = await request(`/files/record/?${new URLSearchParams({ path })}`);
    const link = await request("/files/link/", { method: "POST", body: { path } });
    return { record, link };
  } catch (error) {
    error.message = REFUSALS[error.status] ?? error.message;
    throw error;
  }
}

async function showContent(place, record, url) {
  if (record.mime_type === "application/pdf") {
    await showPdf(place, url);
  } else if (record.mime_type?.startsWith("image/")) {
    place.append(
      element("img", { className: "picture", src: url, alt: `The picture ${record.name}` }),
    );
  } else if (record.mime_type === "text/plain") {
    const response = await fetch(url, { credentials: "omit" });
    if (!response.ok) {
      throw new Refused(response.status, null);
    }
    place.append(element("pre", { className: "text" }, await response.text()));
  } else {
    place.append(element("p", {}, "This page does not show files of this type."));
  }
}
