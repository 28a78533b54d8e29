// One clear line for people when something is wrong, and a quiet one for screen readers.

export class Notice {
  constructor({ box, text, close, status }) {
    Object.assign(this, { box, text, status });
    close.addEventListener("click", () => this.clear());
  }

  /** `kind` is "error" or "passing", which goes away by itself when things are well again. */
  show(message, kind = "error") {
    if (!message) return;
    this.box.dataset.kind = kind;
    this.box.hidden = false;
    if (this.text.textContent !== message) this.text.textContent = message;
  }

  clear(kind = null) {
    if (kind && this.box.dataset.kind !== kind) return;
    this.box.hidden = true;
    this.text.textContent = "";
  }

  /** Said by screen readers, shown nowhere. */
  tell(message) {
    this.status.textContent = message;
  }
}
