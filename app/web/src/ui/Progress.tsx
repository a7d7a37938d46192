/** A thin bar with what is going on in words; without `share` it only shows that something is.
 * Its words are a live region, so that a screen reader tells of them. */
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
