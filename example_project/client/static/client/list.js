// The user's newest applications. One request returns a page of them, with a signed link for each
// picture: an <img> element cannot send a token.

import { element } from "./dom.js";
import { request } from "./session.js";

export const title = "Your applications";

export const getReaderUrl = (path) => `#/read/${encodeURIComponent(path)}`;

export async function show(main) {
  const { results } = await request("/api/applications/");
  const applications =
    results.length > 0
      ? element("ul", { className: "cards" }, ...results.map(makeCard))
      : element(
          "p",
          {},
          "You have no applications yet. ",
          element("a", { href: "#/apply" }, "Apply"),
        );
  main.append(applications, makeOpenForm());
  return `${results.length} applications`;
}

function makeCard(application) {
  const path = new URL(application.resume).searchParams.get("path");
  return element(
    "li",
    { className: "card" },
    element("h2", {}, application.what_you_want),
    element(
      "div",
      { className: "pictures" },
      makePicture(application.avatar_link, "Avatar"),
      makePicture(application.certificate_link, "Certificate"),
    ),
    element("p", {}, element("a", { href: getReaderUrl(path) }, `Read the resume ${path}`)),
  );
}

function makePicture(link, label) {
  if (!link) {
    return null;
  }
  const image = element("img", { src: link, alt: `${label} of the application` });
  image.addEventListener("error", () => {
    image.alt = "The picture cannot be shown. Load the list again.";
  });
  return element("figure", {}, image, element("figcaption", {}, label));
}

function makeOpenForm() {
  const input = element("input", {
    type: "text",
    id: "path",
    required: true,
    autocomplete: "off",
  });
  input.setAttribute("aria-describedby", "path-help");
  const form = element(
    "form",
    { className: "form" },
    element(
      "div",
      { className: "field" },
      element("label", { htmlFor: "path" }, "Path of a file"),
      element(
        "p",
        { className: "help", id: "path-help" },
        "For example messi_resume.txt: only messi and the staff can read it.",
      ),
      input,
    ),
    element("div", {}, element("button", { className: "quiet" }, "Open the file")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = getReaderUrl(input.value);
  });
  return element("section", {}, element("h2", {}, "Open another file"), form);
}
