// The form for the log-in.

import { element, showAlert } from "./dom.js";
import { logIn } from "./session.js";

export const title = "Log in";

export function show(main, { problem, leave }) {
  const name = element("input", {
    type: "text",
    id: "username",
    required: true,
    autocomplete: "username",
    autocapitalize: "none",
  });
  const password = element("input", {
    type: "password",
    id: "password",
    required: true,
    autocomplete: "current-password",
  });
  const button = element("button", {}, "Log in");
  const form = element(
    "form",
    { className: "form narrow" },
    element(
      "div",
      { className: "field" },
      element("label", { htmlFor: "username" }, "User name"),
      name,
    ),
    element(
      "div",
      { className: "field" },
      element("label", { htmlFor: "password" }, "Password"),
      password,
    ),
    element("div", {}, button),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await logIn(name.value, password.value);
      leave();
    } catch (error) {
      const isWrong = error.status === 401 || error.status === 400;
      showAlert(form, isWrong ? "The user name or the password is wrong." : error.message);
      password.value = "";
    } finally {
      button.disabled = false;
    }
  });
  main.append(
    element("p", { className: "lead" }, "messi, ronaldo or admin; the password is the name."),
    form,
  );
  if (problem) {
    showAlert(form, problem);
  }
}
