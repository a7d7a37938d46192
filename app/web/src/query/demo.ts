/** The demo track, which `python -m app.demo_track` renders: loaded when it is asked for, then queried like any file. */
import { fetchSound } from "../api/download";
import { queryProblem, retry } from "./state";
import { submitFiles } from "./trackInput";

const url = new URL("./demo.mp3", import.meta.url).href;

/** Query the demo track. */
export async function queryDemo(): Promise<void> {
  try {
    submitFiles([new File([await fetchSound(url)], "Demo track.mp3", { type: "audio/mpeg" })]);
  } catch (error) {
    queryProblem.value = error;
    retry.value = () => void queryDemo();
  }
}
