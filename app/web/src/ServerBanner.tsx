/** A line under the header while the service is unreachable, preparing, or says why it is not well; it disappears by itself. */
import { readiness, serverState } from "./state/server";

export function ServerBanner() {
  const text = words();
  return (
    <div class="banner-place" role="status">
      {text && (
        <p class="banner" data-test="banner" data-state={serverState.value}>
          {text}
        </p>
      )}
    </div>
  );
}

function words(): string | null {
  if (serverState.value === "away") return "The server is not responding. The page reconnects by itself.";
  const progress = readiness.value?.progress;
  if (!progress) return readiness.value?.reasons.map((reason) => `${reason}.`).join(" ") || null;
  if (progress.state === "failed") return `${progress.message}.`;
  return `Preparing the default library: ${progress.done} of ${progress.total}. Other libraries are ready to use.`;
}
