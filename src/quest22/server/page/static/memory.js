// What the browser stores: settings permanently, the key only while the tab is open.

function taken(storage, name) {
  try {
    return window[storage].getItem(name);
  } catch {
    return null; // storage is blocked: nothing is stored
  }
}

function kept(storage, name, value) {
  try {
    if (value) window[storage].setItem(name, value);
    else window[storage].removeItem(name);
  } catch {
    // Storage is blocked: the setting lasts until the page is closed.
  }
}

export const recall = (name) => taken("localStorage", name);
export const remember = (name, value) => kept("localStorage", name, value);
export const recallKey = () => taken("sessionStorage", "key") ?? "";
export const rememberKey = (key) => kept("sessionStorage", "key", key);
