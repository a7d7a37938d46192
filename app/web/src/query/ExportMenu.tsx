/** Takes the chosen set away: as JSON, as CSV for a spreadsheet, or as a zip with the previews. */
import { exportUrl } from "../api/client";
import { download } from "../api/download";
import { say, sayProblem } from "../state/toasts";
import { Menu } from "../ui/Menu";
import { shown } from "./state";

type Format = "json" | "csv" | "zip";

async function take(format: Format): Promise<void> {
  const { answer, chosen } = shown.value;
  if (!answer) return;
  const ids = [...new Set([...chosen].map((choice) => choice.slice(choice.lastIndexOf(" ") + 1)))];
  try {
    const name = await download(exportUrl(answer.id, format, ids), `instruments.${format}`);
    say(`${name} saved.`, "good");
  } catch (error) {
    sayProblem(error);
  }
}

export function ExportMenu() {
  const count = shown.value.chosen.size;
  const items = [
    { label: "Previews and list", hint: ".zip", test: "export-zip", onSelect: () => void take("zip") },
    { label: "Table", hint: ".csv", test: "export-csv", onSelect: () => void take("csv") },
    { label: "Data", hint: ".json", test: "export-json", onSelect: () => void take("json") },
  ];
  const label = count ? `Export ${count} chosen` : "Export 0: choose instruments first";
  return (
    <Menu
      label={label}
      icon="download"
      items={items}
      test="export"
      disabled={!shown.value.answer || count === 0}
    >
      <span>Export</span> <span class="count">{count}</span>
    </Menu>
  );
}
