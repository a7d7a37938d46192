/** A line under the header while the service is away or still preparing; it goes by itself. */
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
  if (serverState.value === "away") return "The server is away. The page goes on by itself once it is back.";
  const progress = readiness.value?.progress;
  if (serverState.value !== "preparing" || !progress) return null;
  if (progress.state === "failed") return `${progress.message}.`;
  return `The default library is being prepared: ${progress.done} of ${progress.total}. Other libraries can be used already.`;
}
