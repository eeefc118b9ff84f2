// Elements of the page. All texts become text nodes: names of files and errors are not HTML.

export function element(name, properties = {}, ...children) {
  const result = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in result) {
      result[key] = value;
    } else {
      result.setAttribute(key, value);
    }
  }
  result.append(...children.filter((child) => child != null));
  return result;
}

// Screen readers read it, without a change of the focus.
export function announce(text) {
  document.getElementById("status").textContent = text;
}

// The message of an error. It gets the focus, so that screen readers read it.
export function showAlert(place, text) {
  place.querySelector(".alert")?.remove();
  const alert = element("p", { className: "alert", role: "alert", tabIndex: -1 }, text);
  place.prepend(alert);
  alert.focus();
}

export function formatSize(bytes) {
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`;
}
