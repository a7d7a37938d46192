/** Exports the chosen instruments as JSON, CSV, or a zip with previews and the sure parts as MIDI, with their sources on demand. */
import { exportUrl } from "../api/client";
import { download } from "../api/download";
import { showProblem, showToast } from "../state/toasts";
import { formatCount } from "../ui/format";
import { Menu } from "../ui/Menu";
import { queryState } from "./state";

type Format = "json" | "csv" | "zip";

async function take(format: Format, sources = false): Promise<void> {
  const { answer, chosen } = queryState.value;
  if (!answer) return;
  const ids = [...new Set([...chosen].map((choice) => choice.slice(choice.lastIndexOf(" ") + 1)))];
  try {
    const name = await download(exportUrl(answer.id, format, ids, sources), `instruments.${format}`);
    showToast(`${name} saved.`, "good");
  } catch (error) {
    showProblem(error);
  }
}

export function ExportMenu() {
  const count = queryState.value.chosen.size;
  const items = [
    {
      label: "Folder with previews, MIDI and list",
      hint: ".zip",
      test: "export-zip",
      onSelect: () => void take("zip"),
    },
    {
      label: "The same with samples and SoundFonts",
      hint: ".zip",
      test: "export-sources",
      onSelect: () => void take("zip", true),
    },
    { label: "Table", hint: ".csv", test: "export-csv", onSelect: () => void take("csv") },
    { label: "Data", hint: ".json", test: "export-json", onSelect: () => void take("json") },
  ];
  const label = count
    ? `Export ${formatCount(count, "chosen instrument")}`
    : "Export 0: choose instruments first";
  return (
    <Menu
      label={label}
      icon="download"
      items={items}
      test="export"
      disabled={!queryState.value.answer || count === 0}
    >
      <span>Export</span> <span class="count">{count}</span>
    </Menu>
  );
}
