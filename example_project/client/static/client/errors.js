// The errors of requests, in plain words.

// The log-in has ended: the page for the log-in shows the message.
export class LoggedOut extends Error {}

// A request was refused. `fields` has the errors of the fields of a form, by name.
export class Refused extends Error {
  constructor(status, body) {
    super(describe(status, body));
    this.status = status;
    this.fields = {};
    if (status === 400 && body && typeof body === "object") {
      for (const [name, errors] of Object.entries(body)) {
        this.fields[name] = [errors].flat().map(String);
      }
    }
  }
}

const MESSAGES = {
  0: "The site does not answer. Check the connection, and try again.",
  403: "You do not have permission to do this.",
  404: "This does not exist.",
  413: "The file is too large.",
  415: "The site does not accept this type of file.",
  429: "There were too many requests. Wait a minute, and try again.",
  503: "A storage of the site does not answer. Try again in a few seconds.",
  507: "The disk of the site is full.",
};

function describe(status, body) {
  if (MESSAGES[status]) {
    return MESSAGES[status];
  }
  if (status === 400) {
    return "The site has refused some of the values.";
  }
  return `The site has answered with an error (status ${status}).`;
}

// An expired or invalid token. The status depends on the order of the authentication classes.
export function isTokenInvalid(status, body) {
  return status === 401 || (status === 403 && body?.code === "token_not_valid");
}
