/** What can go wrong between the page and the service: a problem document, or no answer at all.
 * Every message is a sentence for people, with what to do where the service cannot know it. */
import type { ProblemDocument } from "./types";

const PREFIX = "urn:showme:problem:";

/** The service answered with a problem document (RFC 9457). */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";

  constructor(
    readonly document: ProblemDocument,
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(document.detail || document.title);
  }

  get status(): number {
    return this.document.status;
  }

  /** The stable name of the kind of problem, e.g. `not-audio`. */
  get kind(): string {
    return this.document.type.startsWith(PREFIX)
      ? this.document.type.slice(PREFIX.length)
      : this.document.type;
  }
}

/** The page itself says no, before anything is sent: what is the matter, and what to do. */
export class Refused extends Error {
  override readonly name = "Refused";

  constructor(
    readonly title: string,
    readonly advice: string,
  ) {
    super(title);
  }
}

/** The connection failed: the service is down, restarting, or out of reach. */
export class ServerAway extends Error {
  override readonly name = "ServerAway";

  constructor() {
    super("The server does not answer.");
  }
}

/** Whether `error` says that the user (or a newer request) cancelled. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** The problem in the body of an answer, or one made from its status where a proxy in between wrote the body. */
export function problemOf(status: number, body: unknown, retryAfter: string | null): ApiProblem {
  const seconds = retryAfter === null ? Number.NaN : Number(retryAfter);
  const known = typeof body === "object" && body !== null && "title" in body;
  const document = known
    ? (body as ProblemDocument)
    : { type: "about:blank", title: `The server answered ${status}`, status, detail: "" };
  return new ApiProblem(document, Number.isFinite(seconds) ? seconds : null);
}

/** One clear sentence, and what to do, for anything that was thrown. */
export function sentenceOf(error: unknown): { title: string; advice: string } {
  if (error instanceof Refused) return { title: error.title, advice: error.advice };
  if (error instanceof ServerAway)
    return {
      title: error.message,
      advice: "Is it still running? The page goes on by itself once it is back.",
    };
  if (!(error instanceof ApiProblem))
    return {
      title: "Something went wrong in the page.",
      advice: error instanceof Error ? error.message : "Reload it and try again.",
    };
  const { title, detail } = error.document;
  const advice = ADVICE[error.kind] ?? ADVICE[String(error.status)] ?? "";
  return { title: sentence(detail || title), advice };
}

const ADVICE: Record<string, string> = {
  "not-audio": "Is it damaged, or of another kind than its name says?",
  "unsupported-audio": "Convert it to wav, flac or mp3 and drop it again.",
  "silent-audio": "Choose a part of the track where something plays.",
  "range-outside-audio": "Drag a selection inside the track.",
  "library-empty": "Add instruments to it in the Library view, or choose another library.",
  "library-not-found": "Choose another library.",
  "query-not-found": "It may have been removed since. Drop the track again.",
  "413": "Send a shorter or a compressed file, or raise the server's limit.",
  "429": "Wait a moment and try again.",
  "503": "Wait a moment and try again.",
  "500": "Try again; the server's log says more.",
};

/** Whether the same question may well be answered the next time; false for what only another file or filter mends. */
export function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof Refused) return false;
  return !(error instanceof ApiProblem) || error.status >= 429;
}

/** With a capital (unless it begins with a file's name) and a full stop. */
function sentence(text: string): string {
  const [first = ""] = text.split(" ");
  const start = /[./_\d]/.test(first) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(start) ? start : `${start}.`;
}
