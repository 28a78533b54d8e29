// What the browser remembers: choices for good, the key only as long as the tab is open.

function taken(storage, name) {
  try {
    return window[storage].getItem(name);
  } catch {
    return null; // storage is forbidden here: nothing is remembered
  }
}

function kept(storage, name, value) {
  try {
    if (value) window[storage].setItem(name, value);
    else window[storage].removeItem(name);
  } catch {
    // Storage is forbidden here: the choice holds until the page is left.
  }
}

export const recall = (name) => taken("localStorage", name);
export const remember = (name, value) => kept("localStorage", name, value);
export const recallKey = () => taken("sessionStorage", "key") ?? "";
export const rememberKey = (key) => kept("sessionStorage", "key", key);
