// A new application: each file is uploaded with its progress, and then attached to the application.

import { announce, element, formatSize } from "./dom.js";
import { request, upload } from "./session.js";

export const title = "Apply";

// The limits of the site. It checks them again, so they are only for early messages.
const MAX_SIZE = 5 * 2 ** 20;
const PICTURES = {
  storage: "file_system_proxy_storage",
  types: ["image/jpeg", "image/png", "image/webp"],
};
const FILES = [
  {
    name: "resume",
    label: "Resume",
    help: "A PDF or a text file",
    required: true,
    storage: "gridfs_proxy_storage",
    types: ["application/pdf", "text/plain"],
  },
  {
    name: "avatar",
    label: "Avatar",
    help: "A JPEG, PNG or WebP picture",
    required: true,
    ...PICTURES,
  },
  {
    name: "certificate",
    label: "Certificate (optional)",
    help: "A JPEG, PNG or WebP picture",
    required: false,
    ...PICTURES,
  },
];

// The paths of uploads. A form that is sent again does not upload its files again.
const uploads = new WeakMap();

export function show(main, { fail, leave }) {
  const wish = element("input", {
    type: "text",
    id: "what_you_want",
    required: true,
    maxLength: 255,
  });
  const button = element("button", {}, "Send the application");
  const bar = element("progress", { max: 100, value: 0 });
  bar.setAttribute("aria-label", "Progress of the upload");
  const words = element("p", { role: "status" });
  const progress = element("div", { className: "progress", hidden: true }, bar, words);
  const form = element(
    "form",
    { className: "form", noValidate: true },
    makeField("what_you_want", "What do you want?", null, wish),
    ...FILES.map(({ name, label, help, types }) =>
      makeField(
        name,
        label,
        help,
        element("input", { type: "file", id: name, accept: types.join(",") }),
      ),
    ),
    element("div", {}, button),
    progress,
  );
  const report = (percent, text) => {
    bar.value = percent;
    words.textContent = text;
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!showErrors(form, findProblems(form))) {
      return;
    }
    button.disabled = true;
    progress.hidden = false;
    main.querySelector(".alert")?.remove();
    try {
      await send(form, report);
      leave({ notice: "Your application was sent.", to: "#/" });
    } catch (error) {
      progress.hidden = true;
      if (showErrors(form, error.fields ?? {})) {
        fail(error);
      }
    } finally {
      button.disabled = false;
    }
  });
  main.append(
    element(
      "p",
      { className: "lead" },
      "All visitors of the site can see your application and the names of your files.",
    ),
    form,
  );
  announce("");
}

function makeField(name, label, help, input) {
  const description = help && element("p", { className: "help", id: `${name}-help` }, help);
  if (description) {
    input.setAttribute("aria-describedby", description.id);
  }
  return element(
    "div",
    { className: "field", id: `${name}-field` },
    element("label", { htmlFor: name }, label),
    description,
    input,
  );
}

function findProblems(form) {
  const problems = {};
  if (!form.querySelector("#what_you_want").value.trim()) {
    problems.what_you_want = ["Write what you want."];
  }
  for (const { name, required, types, help } of FILES) {
    const file = getFile(form, name);
    if (!file) {
      problems[name] = required ? ["Choose a file."] : [];
    } else if (!types.includes(file.type)) {
      problems[name] = [`“${file.name}” has the wrong type. ${help} is accepted.`];
    } else if (file.size > MAX_SIZE) {
      problems[name] = [
        `“${file.name}” is too large: ${formatSize(file.size)}. The limit is ${formatSize(MAX_SIZE)}.`,
      ];
    } else if (file.size === 0) {
      problems[name] = [`“${file.name}” is empty.`];
    }
  }
  return problems;
}

// Show the errors at their fields, and focus the first one; return whether there are none.
function showErrors(form, errors) {
  let first = null;
  for (const field of form.querySelectorAll(".field")) {
    const input = field.querySelector("input");
    const texts = errors[input.id] ?? [];
    const help = field.querySelector(".help")?.id;
    field.querySelector(".errorlist")?.remove();
    input.setAttribute("aria-invalid", String(texts.length > 0));
    const described = [help, texts.length > 0 ? `${input.id}-errors` : null].filter(Boolean);
    input.setAttribute("aria-describedby", described.join(" "));
    if (texts.length > 0) {
      const items = texts.map((text) => element("li", {}, text));
      input.before(element("ul", { className: "errorlist", id: `${input.id}-errors` }, ...items));
      first ??= input;
    }
  }
  first?.focus();
  return first === null;
}

const getFile = (form, name) => form.querySelector(`#${name}`).files[0];

async function send(form, report) {
  const chosen = FILES.map((field) => ({ ...field, file: getFile(form, field.name) })).filter(
    ({ file }) => file,
  );
  const total = chosen.reduce((sum, { file }) => sum + file.size, 0);
  const body = { what_you_want: form.querySelector("#what_you_want").value };
  let before = 0;
  for (const { name, file, storage } of chosen) {
    body[name] = await uploadOnce(file, name, storage, (sent) => {
      const percent = Math.floor((100 * (before + Math.min(sent, file.size))) / total);
      report(percent, `${name}: ${percent} % of all files sent`);
    });
    before += file.size;
  }
  report(100, "The site saves the application …");
  await request("/api/applications/", { method: "POST", body });
}

async function uploadOnce(file, name, storage, onProgress) {
  if (!uploads.has(file)) {
    try {
      uploads.set(file, (await upload(file, storage, onProgress)).path);
    } catch (error) {
      // The upload calls each field "file"; the form has several.
      if (error.fields) {
        error.fields = { [name]: error.fields.file ?? [error.message] };
      }
      throw error;
    }
  }
  return uploads.get(file);
}
