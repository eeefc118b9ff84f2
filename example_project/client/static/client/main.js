// The routes of the client, in the fragment of the URL: "#/", "#/apply" and "#/read/PATH".

import * as apply from "./apply.js";
import { announce, element, showAlert } from "./dom.js";
import { LoggedOut } from "./errors.js";
import * as list from "./list.js";
import * as login from "./login.js";
import * as reader from "./reader.js";
import { getUser, logOut } from "./session.js";

const main = document.getElementById("main");
// Only the newest navigation may change the page.
let navigation = 0;

function findRoute() {
  const [, name = "", ...rest] = location.hash.split("/");
  if (name === "read") {
    return [reader, decode(rest.join("/"))];
  }
  return [name === "apply" ? apply : list];
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // It was not written by this client.
  }
}

async function navigate({ notice, problem } = {}) {
  const current = ++navigation;
  const [page, argument] = getUser() ? findRoute() : [login];
  const content = startPage(page, argument, notice);
  const isNewest = () => current === navigation;
  const fail = (error) => {
    if (!isNewest()) {
      return;
    }
    if (error instanceof LoggedOut) {
      navigate({ problem: error.message });
    } else {
      announce("");
      showAlert(content, error.message);
    }
  };
  // Go to the list, or after the log-in to the page in the URL.
  const leave = ({ notice, to } = {}) => {
    if (to !== undefined) {
      if (!isNewest()) {
        return; // The user has opened another page in the meantime.
      }
      history.pushState(null, "", to);
    }
    navigate({ notice });
  };
  try {
    const text = await page.show(content, { argument, problem, fail, leave });
    if (text && isNewest()) {
      announce(text);
    }
  } catch (error) {
    fail(error);
  }
}

// A new page: its title is in the window and has the focus.
function startPage(page, argument, notice) {
  document.dispatchEvent(new Event("page-change"));
  const heading = element(
    "h1",
    { tabIndex: -1 },
    argument ? `${page.title} ${argument}` : page.title,
  );
  const content = element("section", {});
  document.title = `${heading.textContent} – django-proxy-storage`;
  main.replaceChildren(heading, content);
  if (notice) {
    main.insertBefore(element("p", { className: "notice" }, notice), content);
  }
  announce(notice ?? (page === login ? "" : "Loading …"));
  showUser();
  heading.focus();
  return content;
}

function showUser() {
  const user = getUser();
  document.getElementById("menu").hidden = document.getElementById("account").hidden = !user;
  document.getElementById("user").textContent = user ?? "";
  for (const link of document.querySelectorAll("#menu a")) {
    if (link.hash === (location.hash || "#/")) {
      link.setAttribute("aria-current", "page");
    } else {
      link.removeAttribute("aria-current");
    }
  }
}

document.getElementById("log-out").addEventListener("click", () => {
  logOut();
  navigate();
});
// The fragment of the URL is the route, so this link must not change it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => navigate());
navigate();
