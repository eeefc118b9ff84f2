// The upload form: drag and drop, previews, checks before sending, and the progress.
// Without JavaScript, the browser sends the form, and the server checks the same conditions.
"use strict";

const form = document.getElementById("apply-form");
const button = document.getElementById("apply-button");
const progress = document.getElementById("upload-progress");

const formatSize = (bytes) =>
  bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`;

// Errors are lists with the id that Django's form gives them, so that inputs refer to them.
function showErrors(field, errors) {
  const input = field.querySelector("input");
  const id = `${input.id}_error`;
  document.getElementById(id)?.remove();
  field.classList.toggle("invalid", errors.length > 0);
  const described = new Set((input.getAttribute("aria-describedby") ?? "").split(/\s+/).filter(Boolean));
  described.delete(id);
  if (errors.length > 0) {
    const list = document.createElement("ul");
    list.className = "errorlist";
    list.id = id;
    for (const error of errors) {
      list.append(Object.assign(document.createElement("li"), { textContent: error }));
    }
    input.before(list);
    described.add(id);
    input.setAttribute("aria-invalid", "true");
  } else {
    input.removeAttribute("aria-invalid");
  }
  input.setAttribute("aria-describedby", [...described].join(" "));
}

function findProblems(input) {
  if (input.type !== "file") {
    return input.required && !input.value.trim() ? ["This field is required."] : [];
  }
  const file = input.files[0];
  if (!file) {
    return input.required ? ["Choose a file."] : [];
  }
  const accepted = input.accept.split(",");
  const limit = Number(input.dataset.maxSize);
  const problems = [];
  if (!accepted.includes(file.type)) {
    problems.push(`“${file.name}” does not have an accepted type. Use ${accepted.join(", ")}.`);
  }
  if (file.size > limit) {
    problems.push(`“${file.name}” has ${formatSize(file.size)}. The limit is ${formatSize(limit)}.`);
  }
  if (file.size === 0) {
    problems.push(`“${file.name}” is empty.`);
  }
  return problems;
}

function check(field) {
  const problems = findProblems(field.querySelector("input"));
  showErrors(field, problems);
  return problems.length === 0;
}

function showChosen(field) {
  const input = field.querySelector("input");
  const chosen = field.querySelector(".chosen");
  const image = chosen.querySelector("img");
  const file = input.files[0];
  URL.revokeObjectURL(image.src);
  image.removeAttribute("src");
  image.hidden = true;
  chosen.querySelector("span").textContent = file ? `${file.name}, ${formatSize(file.size)}` : "";
  if (file && file.type.startsWith("image/") && input.accept.includes(file.type)) {
    image.src = URL.createObjectURL(file);
    image.hidden = false;
  }
}

function addDropZone(field) {
  const input = field.querySelector("input");
  const hint = Object.assign(document.createElement("p"), { className: "drop-hint", textContent: "or drop a file here" });
  const chosen = Object.assign(document.createElement("p"), { className: "chosen" });
  const image = Object.assign(document.createElement("img"), { alt: "Preview of the chosen picture", hidden: true });
  chosen.append(image, document.createElement("span"));
  input.after(hint, chosen);
  field.classList.add("drop");
  for (const name of ["dragenter", "dragover"]) {
    field.addEventListener(name, (event) => {
      event.preventDefault();
      field.classList.add("over");
    });
  }
  field.addEventListener("dragleave", (event) => {
    if (!field.contains(event.relatedTarget)) {
      field.classList.remove("over");
    }
  });
  field.addEventListener("drop", (event) => {
    event.preventDefault();
    field.classList.remove("over");
    if (event.dataTransfer.files.length > 0) {
      const one = new DataTransfer();
      one.items.add(event.dataTransfer.files[0]);
      input.files = one.files;
      input.dispatchEvent(new Event("change"));
    }
  });
  input.addEventListener("change", () => {
    showChosen(field);
    check(field);
  });
}

function setBusy(isBusy) {
  button.disabled = isBusy;
  progress.hidden = !isBusy;
}

function report(percent, text) {
  progress.querySelector("progress").value = percent;
  progress.querySelector("[role=status]").textContent = text;
}

// fetch() does not report the progress of an upload.
function send() {
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => {
    const percent = event.lengthComputable ? Math.floor((100 * event.loaded) / event.total) : 0;
    report(percent, percent < 100 ? `${percent} % sent` : "The site saves the files …");
  });
  request.addEventListener("load", () => finish(request));
  request.addEventListener("error", () => fail("The connection has failed. Send the form again."));
  setBusy(true);
  report(0, "0 % sent");
  request.send(new FormData(form));
}

function finish(request) {
  if (request.responseURL && new URL(request.responseURL).pathname !== window.location.pathname) {
    // The session has ended, and the site has answered with the log-in page.
    window.location.assign(request.responseURL);
    return;
  }
  const answer = request.response ?? {};
  if (request.status === 201) {
    window.location.assign(answer.url);
    return;
  }
  if (request.status !== 400 || !answer.errors) {
    fail(answer.detail ?? `The site has refused the form with status ${request.status}.`);
    return;
  }
  setBusy(false);
  for (const field of fields) {
    showErrors(field, answer.errors[field.dataset.field] ?? []);
  }
  focusFirstError();
}

function fail(text) {
  button.disabled = false;
  progress.hidden = false;
  report(0, text);
}

function focusFirstError() {
  form.querySelector("[aria-invalid=true]")?.focus();
}

const fields = [...form.querySelectorAll("[data-field]")];
for (const field of fields) {
  if (field.querySelector("input[type=file]")) {
    addDropZone(field);
  }
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (fields.map(check).every(Boolean)) {
    send();
  } else {
    focusFirstError();
  }
});
