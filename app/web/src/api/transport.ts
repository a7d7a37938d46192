/** One request and its answer: JSON in, JSON or a problem out, with cancellation, upload progress and polite retries.
 * Follows RFC 9110: 429 and 503 with Retry-After are asked again; a failed connection is `ServerAway`. */
import { ApiProblem, problemOf, ServerAway } from "./problem";

const RETRIES = 6;
const LONGEST_WAIT_SECONDS = 15;

export interface Options {
  signal?: AbortSignal;
  onWait?: (problem: ApiProblem, seconds: number) => void; // the service is busy and is asked again after `seconds`
}

export interface UploadOptions extends Options {
  onProgress?: (share: number) => void; // 0 to 1 while the body is sent; 1: the service has it all
}

/** Listeners are told of every request that found the service (true) or did not (false). */
export const contact = { heard: (_there: boolean): void => undefined };

/** A request by fetch; `body` is sent as JSON, FormData as it is. */
export function request<T>(method: string, path: string, body?: unknown, options: Options = {}): Promise<T> {
  return retrying(options, () => once<T>(method, path, body, options.signal));
}

/** A form by XMLHttpRequest, since fetch does not report the progress of an upload. */
export function upload<T>(path: string, form: FormData, options: UploadOptions = {}): Promise<T> {
  return retrying(options, () => sent<T>(path, form, options));
}

async function once<T>(
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
    contact.heard(false);
    throw new ServerAway();
  });
  contact.heard(true);
  const document = answer.status === 204 ? undefined : await bodyOf(answer, signal);
  if (!answer.ok) throw problemOf(answer.status, document, answer.headers.get("Retry-After"));
  return document as T;
}

/** The JSON of an answer; undefined for an error without any. An answer that breaks off means that the server went away. */
async function bodyOf(answer: Response, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    return await answer.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    if (answer.ok) throw new ServerAway();
    return undefined;
  }
}

function sent<T>(path: string, form: FormData, { signal, onProgress }: UploadOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    xhr.open("POST", path);
    xhr.responseType = "json";
    xhr.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    xhr.upload.onload = () => onProgress?.(1);
    xhr.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    xhr.onerror = () => {
      contact.heard(false);
      reject(new ServerAway());
    };
    xhr.onload = () => {
      contact.heard(true);
      if (xhr.status < 400) resolve(xhr.response as T);
      else reject(problemOf(xhr.status, xhr.response, xhr.getResponseHeader("Retry-After")));
    };
    xhr.onloadend = () => signal?.removeEventListener("abort", abort);
    if (signal?.aborted) return xhr.onabort?.(new ProgressEvent("abort"));
    signal?.addEventListener("abort", abort);
    xhr.send(form);
  });
}

async function retrying<T>(options: Options, attempt: () => Promise<T>): Promise<T> {
  for (let tried = 0; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ApiProblem) || !isBusy(error) || tried >= RETRIES) throw error;
      const seconds = Math.min(error.retryAfterSeconds ?? 2, LONGEST_WAIT_SECONDS);
      options.onWait?.(error, seconds);
      await pause(seconds, options.signal);
    }
  }
}

/** Busy means: nothing was done, ask again. A 503 without Retry-After is a fault that waiting does not mend. */
export function isBusy(error: ApiProblem): boolean {
  return error.status === 429 || (error.status === 503 && error.retryAfterSeconds !== null);
}

/** Resolves after `seconds`; rejects as soon as `signal` is aborted. */
export function pause(seconds: number, signal?: AbortSignal): Promise<void> {
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
