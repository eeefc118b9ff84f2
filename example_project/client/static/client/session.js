// The log-in with JSON Web Tokens, and requests with them.
//
// The tokens are in memory only, so no other page and no later visit can read them. A reload of the
// page ends the log-in.

import { LoggedOut, Refused, isTokenInvalid } from "./errors.js";

let user = null;
let tokens = null;
let refreshing = null;
// The number of log-ins and log-outs.
let visit = 0;

export function getUser() {
  return user;
}

export async function logIn(username, password) {
  tokens = await post("/api/token/", { username, password });
  user = username;
  visit += 1;
}

export function logOut() {
  user = tokens = refreshing = null;
  visit += 1;
}

// Send a request with the token; return the JSON of the response. An expired token is refreshed.
export async function request(url, { method = "GET", body } = {}) {
  const options = { method, credentials: "omit", headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  return withToken((token) => {
    options.headers.Authorization = `Bearer ${token}`;
    return send(url, options);
  });
}

// Upload a file; return its record. fetch() does not report the progress of an upload.
export async function upload(file, storage, onProgress) {
  const data = new FormData();
  data.append("storage", storage);
  data.append("file", file);
  return withToken(
    (token) =>
      new Promise((resolve) => {
        const xhr = new XMLHttpRequest();
        xhr.open("POST", "/files/");
        xhr.setRequestHeader("Accept", "application/json");
        xhr.setRequestHeader("Authorization", `Bearer ${token}`);
        xhr.responseType = "json";
        xhr.upload.addEventListener("progress", (event) => onProgress(event.loaded));
        xhr.addEventListener("load", () => resolve({ status: xhr.status, body: xhr.response }));
        xhr.addEventListener("error", () => resolve({ status: 0, body: null }));
        xhr.send(data);
      }),
  );
}

async function withToken(sendWith) {
  if (tokens === null) {
    throw new LoggedOut("Log in first.");
  }
  const started = visit;
  let answer = await sendWith(tokens.access);
  checkVisit(started);
  if (isTokenInvalid(answer.status, answer.body)) {
    await refresh();
    answer = await sendWith(tokens.access);
    checkVisit(started);
  }
  return getBody(answer);
}

// The user may have logged out during a request, and another user may have logged in. What the
// first one has started must not go on with the token of the second one.
function checkVisit(started) {
  if (visit !== started) {
    throw new LoggedOut("Your log-in has ended. Log in again.");
  }
}

// Several requests can find out at once that the token has expired. It is refreshed once.
function refresh() {
  if (refreshing === null) {
    const current = exchange().finally(() => {
      if (refreshing === current) {
        refreshing = null;
      }
    });
    refreshing = current;
  }
  return refreshing;
}

async function exchange() {
  const started = visit;
  let fresh;
  try {
    fresh = await post("/api/token/refresh/", { refresh: tokens.refresh });
  } catch (error) {
    if (error.status === 0) {
      throw error;
    }
    checkVisit(started);
    logOut();
    throw new LoggedOut("Your log-in has expired. Log in again.");
  }
  checkVisit(started);
  tokens = { ...tokens, ...fresh };
}

async function post(url, values) {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  const body = JSON.stringify(values);
  return getBody(await send(url, { method: "POST", credentials: "omit", headers, body }));
}

async function send(url, options) {
  try {
    const response = await fetch(url, options);
    const isJson = response.headers.get("Content-Type")?.includes("json");
    return { status: response.status, body: isJson ? await response.json() : null };
  } catch {
    return { status: 0, body: null };
  }
}

function getBody({ status, body }) {
  if (status < 200 || status > 299) {
    throw new Refused(status, body);
  }
  return body;
}
