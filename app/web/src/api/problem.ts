/** The errors between page and service: a problem document, or no response.
 * Each becomes one sentence, plus advice. */
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

  /** The stable name of the problem type, such as `not-audio`. */
  get kind(): string {
    return this.document.type.startsWith(PREFIX)
      ? this.document.type.slice(PREFIX.length)
      : this.document.type;
  }
}

/** Input that the page rejects before sending anything, with advice. */
export class InvalidInput extends Error {
  override readonly name = "Refused";

  constructor(
    readonly title: string,
    readonly advice: string,
  ) {
    super(title);
  }
}

/** The connection failed: the service is down, restarting or unreachable. */
export class ServerAway extends Error {
  override readonly name = "ServerAway";

  constructor() {
    super("The server is not responding.");
  }
}

/** Whether the user, or a newer request, cancelled. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Read the problem from a response body, or make one from the status if a proxy wrote the body. */
export function problemOf(status: number, body: unknown, retryAfter: string | null): ApiProblem {
  const seconds = retryAfter === null ? Number.NaN : Number(retryAfter);
  const known = typeof body === "object" && body !== null && "title" in body;
  const document = known
    ? (body as ProblemDocument)
    : { type: "about:blank", title: `The server responded with status ${status}`, status, detail: "" };
  return new ApiProblem(document, Number.isFinite(seconds) ? seconds : null);
}

/** Describe any thrown value in one sentence, with advice. */
export function describeProblem(error: unknown): { title: string; advice: string } {
  if (error instanceof InvalidInput) return { title: error.title, advice: error.advice };
  if (error instanceof ServerAway)
    return {
      title: error.message,
      advice: "Is it still running? The page reconnects by itself.",
    };
  if (!(error instanceof ApiProblem))
    return {
      title: "Something went wrong on this page.",
      advice: error instanceof Error ? error.message : "Reload the page and try again.",
    };
  const { title, detail } = error.document;
  const advice = ADVICE[error.kind] ?? ADVICE[String(error.status)] ?? "";
  return { title: sentence(detail || title), advice };
}

const ADVICE: Record<string, string> = {
  "not-audio": "The file may be damaged, or its extension may be wrong.",
  "unsupported-audio": "Convert it to WAV, FLAC or MP3 and try again.",
  "silent-audio": "Choose a part of the track that has sound.",
  "range-outside-audio": "Select a part within the track.",
  "library-empty": "Add instruments to it in the Library view, or choose another library.",
  "library-not-found": "Choose another library.",
  "query-not-found": "It may have been deleted. Drop the track again.",
  "413": "Send a shorter or compressed file, or raise the server's limit.",
  "429": "Wait a moment and try again.",
  "503": "Wait a moment and try again.",
  "500": "Try again. The server's log has details.",
};

/** Whether the same request may succeed later; false if only another file or filter helps. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof InvalidInput) return false;
  return !(error instanceof ApiProblem) || error.status >= 429;
}

/** Add a capital letter (unless the text starts with a file name) and a full stop. */
function sentence(text: string): string {
  const [first = ""] = text.split(" ");
  const start = /[./_\d]/.test(first) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(start) ? start : `${start}.`;
}
