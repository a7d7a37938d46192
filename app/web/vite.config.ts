/** Builds the page into dist/, with hashed names below /web/, which app/routes/page.py serves.
 * In development, `npm run dev` serves the sources and forwards API calls to a service on port 8000. */
import { defineConfig } from "vite";
import { stamp } from "./vite.stamp.ts";

const SERVICE = process.env.SHOWME_URL ?? "http://127.0.0.1:8000";
const root = import.meta.dirname;

export default defineConfig({
  root,
  base: "/web/",
  html: { cspNonce: "CSP-NONCE" }, // replaced in every response by app/routes/page.py
  build: { outDir: "dist", target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  server: { proxy: { "/v1": SERVICE, "/readyz": SERVICE, "/healthz": SERVICE } },
  plugins: [stamp(root)],
});
