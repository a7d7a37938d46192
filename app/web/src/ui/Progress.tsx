/** A progress bar with text; indeterminate without `share`.
 * The text is a live region for screen readers. */
interface ProgressProps {
  text: string;
  share: number | null; // 0 to 1
  test?: string;
}

export function Progress({ text, share, test = "progress" }: ProgressProps) {
  return (
    <div class="progress" data-test={test}>
      <span class="progress-text" role="status">
        {text}
      </span>
      <progress aria-label={text || "Progress"} {...(share === null ? {} : { value: share })} max={1} />
    </div>
  );
}
