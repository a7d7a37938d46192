/** Requests with JSON or form bodies: cancellation, upload progress and retries.
 * 429, and 503 with Retry-After, are retried (RFC 9110); a failed connection rejects with `ServerAway`. */
import { ApiProblem, problemOf, ServerAway } from "./problem";

const RETRIES = 6;
const LONGEST_WAIT_SECONDS = 15;

export interface Options {
  signal?: AbortSignal;
  onWait?: (problem: ApiProblem, seconds: number) => void; // the service is busy; the request is retried after `seconds`
}

interface RequestOptions extends Options {
  headers?: Record<string, string>;
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
export function request<T>(
  method: string,
  path: string,
  body?: unknown,
  options: RequestOptions = {},
): Promise<T> {
  return withRetries(options, () => fetchOnce<T>(method, path, body, options));
}

/** Send a request without a body; resolves with the headers of the response. */
export function requestHeaders(
  method: string,
  path: string,
  headers: Record<string, string>,
  options: Options = {},
): Promise<Headers> {
  return withRetries(
    options,
    async () => (await answerTo(path, { method, headers }, options.signal)).headers,
  );
}

/** Get a response whatever it holds, such as a sound or a file. */
export function requestResponse(path: string, options: Options = {}): Promise<Response> {
  return withRetries(options, () => answerTo(path, {}, options.signal));
}

/** Send a form. */
export function upload<T>(path: string, form: FormData, options: UploadOptions = {}): Promise<T> {
  return sendBody<T>("POST", path, form, options);
}

/** Send a body with XMLHttpRequest, because fetch does not report upload progress. */
export function sendBody<T>(
  method: string,
  path: string,
  body: FormData | Blob,
  options: UploadOptions & RequestOptions = {},
): Promise<T> {
  return withRetries(options, () => sendOnce<T>(method, path, body, options));
}

async function fetchOnce<T>(
  method: string,
  path: string,
  body: unknown,
  { signal, headers }: RequestOptions,
): Promise<T> {
  const init: RequestInit = { method };
  if (headers) init.headers = headers;
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...headers, "Content-Type": "application/json" };
  }
  const answer = await answerTo(path, init, signal);
  return (answer.status === 204 ? undefined : await bodyOf(answer, signal)) as T;
}

/** Fetch; a problem of the service, or none to be reached, rejects. */
async function answerTo(path: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> {
  if (signal) init.signal = signal;
  const answer = await fetch(path, init).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    connection.onContact(false);
    throw new ServerAway();
  });
  connection.onContact(true);
  if (answer.status === 401) connection.onRefused();
  if (!answer.ok)
    throw problemOf(answer.status, await bodyOf(answer, signal), answer.headers.get("Retry-After"));
  return answer;
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

function sendOnce<T>(
  method: string,
  path: string,
  body: FormData | Blob,
  { signal, onProgress, headers = {} }: UploadOptions & RequestOptions,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    xhr.open(method, path);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
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
    xhr.send(body);
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
