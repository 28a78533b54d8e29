// The codes of Whisper's languages, and their names in the page's language.
import { language } from "./words.js";

export const CODES = (
  "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu " +
  "ta no th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn " +
  "bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn " +
  "mt sa lb my bo tl mg as tt haw ln ha ba jw su yue "
).trim().split(" ");

/** The name of a language, such as "German"; the code if the browser has no name for it. */
export function nameOf(code) {
  try {
    const name = new Intl.DisplayNames([language()], { type: "language" }).of(code);
    return name.slice(0, 1).toLocaleUpperCase(language()) + name.slice(1);
  } catch {
    return code;
  }
}

/** Pairs of code and name, sorted by name. */
export function named() {
  return CODES.map((code) => [code, nameOf(code)])
    .sort(([, one], [, other]) => one.localeCompare(other, language()));
}
