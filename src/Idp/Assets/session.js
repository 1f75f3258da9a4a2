// The frame of Session Management 1.0 section 3.3: a relying party sends "client_id session_state"; it is told whether that is still so.
"use strict";
const encode = bytes => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const browserState = () => document.cookie.split("; ").find(c => c.startsWith("trust-op-state="))?.slice("trust-op-state=".length) ?? "";
window.addEventListener("message", async event => {
  const space = typeof event.data === "string" ? event.data.lastIndexOf(" ") : -1;
  const dot = space < 0 ? -1 : event.data.lastIndexOf(".");
  if (event.source === null || event.origin === "null") return;
  if (dot <= space + 1) return event.source.postMessage("error", event.origin);
  const [client, state, salt] = [event.data.slice(0, space), event.data.slice(space + 1), event.data.slice(dot + 1)];
  const text = new TextEncoder().encode(`${client} ${event.origin} ${browserState()} ${salt}`);
  const now = encode(new Uint8Array(await crypto.subtle.digest("SHA-256", text))) + "." + salt;
  event.source.postMessage(state === now ? "unchanged" : "changed", event.origin);
});
