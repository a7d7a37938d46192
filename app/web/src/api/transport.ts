/** Requests with JSON or form bodies: cancellation, upload progress and retries.
 * 429, and 503 with Retry-After, are retried (RFC 9110); a failed connection rejects with `ServerAway`. */
import { ApiProblem, problemOf, ServerAway } from "./problem";

const RETRIES = 6;
const LONGEST_WAIT_SECONDS = 15;

export interface Options {
  signal?: AbortSignal;
  onWait?: (problem: ApiProblem, seconds: number) => void; // the service is busy; the request is retried after `seconds`
}

export interface UploadOptions extends Options {
  onProgress?: (share: number) => void; // 0 to 1 while the body is sent; 1: the service has all of it
}

/** `onContact` is called after every request: true if the service responded, false if the connection failed.
 * `onRefused` is called when the service no longer knows who the page is (401). */
export const connection = {
  onContact: (_there: boolean): void => undefined,
  onRefused: (): void => undefined,
};

/** Send a request with fetch; `body` becomes JSON. */
export function request<T>(method: string, path: string, body?: unknown, options: Options = {}): Promise<T> {
  return withRetries(options, () => fetchOnce<T>(method, path, body, options.signal));
}

/** Send a form with XMLHttpRequest, because fetch does not report upload progress. */
export function upload<T>(path: string, form: FormData, options: UploadOptions = {}): Promise<T> {
  return withRetries(options, () => sendForm<T>(path, form, options));
}

async function fetchOnce<T>(
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal | undefined,
): Promise<T> {
  const init: RequestInit = { method };
  if (signal) init.signal = signal;
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  const answer = await fetch(path, init).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    connection.onContact(false);
    throw new ServerAway();
  });
  connection.onContact(true);
  if (answer.status === 401) connection.onRefused();
  const document = answer.status === 204 ? undefined : await bodyOf(answer, signal);
  if (!answer.ok) throw problemOf(answer.status, document, answer.headers.get("Retry-After"));
  return document as T;
}

/** Read the JSON of a response; undefined for an error without JSON. A truncated response means a lost server. */
async function bodyOf(answer: Response, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    return await answer.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    if (answer.ok) throw new ServerAway();
    return undefined;
  }
}

function sendForm<T>(path: string, form: FormData, { signal, onProgress }: UploadOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    xhr.open("POST", path);
    xhr.responseType = "json";
    xhr.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    xhr.upload.onload = () => onProgress?.(1);
    xhr.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    xhr.onerror = () => {
      connection.onContact(false);
      reject(new ServerAway());
    };
    xhr.onload = () => {
      connection.onContact(true);
      if (xhr.status === 401) connection.onRefused();
      if (xhr.status < 400) resolve(xhr.response as T);
      else reject(problemOf(xhr.status, xhr.response, xhr.getResponseHeader("Retry-After")));
    };
    xhr.onloadend = () => signal?.removeEventListener("abort", abort);
    if (signal?.aborted) return xhr.onabort?.(new ProgressEvent("abort"));
    signal?.addEventListener("abort", abort);
    xhr.send(form);
  });
}

async function withRetries<T>(options: Options, attempt: () => Promise<T>): Promise<T> {
  for (let tried = 0; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ApiProblem) || !isBusy(error) || tried >= RETRIES) throw error;
      const seconds = Math.min(error.retryAfterSeconds ?? 2, LONGEST_WAIT_SECONDS);
      options.onWait?.(error, seconds);
      await sleep(seconds, options.signal);
    }
  }
}

/** Whether the service did nothing and can be asked again. A 503 without Retry-After is a fault that does not pass. */
export function isBusy(error: ApiProblem): boolean {
  return error.status === 429 || (error.status === 503 && error.retryAfterSeconds !== null);
}

/** Resolve after `seconds`; reject when `signal` is aborted. */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, 1000 * seconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
