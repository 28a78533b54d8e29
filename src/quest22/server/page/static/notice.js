// Shows a one-line notice when something is wrong, and status texts for screen readers.

export class Notice {
  constructor({ box, text, close, status }) {
    Object.assign(this, { box, text, status });
    close.addEventListener("click", () => this.clear());
  }

  /** `kind` is "error", or "passing" for a notice that disappears when the problem is gone. */
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

  /** For screen readers only. */
  tell(message) {
    this.status.textContent = message;
  }
}
