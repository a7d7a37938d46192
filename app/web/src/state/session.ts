/** Who the page is to the service: nobody has to be anybody on loopback, a key signs in beyond it. */
import { computed, signal } from "@preact/signals";
import { getSession, signIn, signOut } from "../api/client";
import { connection } from "../api/transport";
import type { Session } from "../api/types";

export const session = signal<Session | null>(null); // null: not known yet
export const mustSignIn = computed(() => session.value !== null && session.value.scope === null);
export const mayWrite = computed(() => session.value === null || session.value.scope !== "read");

/** Ask the service who the page is. */
export async function fetchSession(): Promise<void> {
  session.value = await getSession();
}

/** Exchange a key for a session; the page then begins anew. Rejects if the service refuses the key. */
export async function enter(key: string, onWait: (seconds: number) => void): Promise<void> {
  await signIn(key, { onWait: (_problem, seconds) => onWait(seconds) });
  location.reload();
}

/** End the session; nothing that the key could see stays on the page. */
export async function leave(): Promise<void> {
  await signOut();
  location.reload();
}

connection.onRefused = () => void fetchSession().catch(() => undefined);
