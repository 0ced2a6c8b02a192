"use client";
/** What happened around a record, told in order of its trail. */
import { ScanBody } from "@sallyport/shared/usb/scan.ts";
import Link from "next/link";
import { bytes, count, plural } from "../../ui/bytes.ts";
import { cx } from "../../ui/class.ts";
import { Hash } from "../../ui/copy.tsx";
import { Mark } from "../../ui/mark.tsx";
import { Clock } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RecordFull, RecordRow } from "../store.ts";
import { findingTone, severityTone, verdictTone } from "./tone.ts";

export function StoryTab({ record, onOpen }: { record: RecordFull; onOpen: (row: RecordRow) => void }) {
  return (
    <div className="grid gap-4">
      {record.kind === "usb.scan" && <ScanStory record={record} />}
      <ol className="ml-1 border-l-[1.5px] border-line-strong">
        {record.around.map((each) => {
          const here = each.index === record.index;
          const tone = severityTone(each.severity);
          return (
            <li key={each.index} className="relative pb-2.5 pl-3.5">
              <span
                aria-hidden
                className={cx(
                  "absolute top-[6px] -left-[4.5px] h-[7px] w-[7px] rounded-full",
                  here
                    ? "bg-ink ring-3 ring-pick"
                    : tone === "block"
                      ? "bg-block"
                      : tone === "hold"
                        ? "bg-hold"
                        : "bg-ink-3",
                )}
              />
              <span className="mono mr-2 text-ink-3">
                <Clock time={each.time} />
              </span>
              <span className="mono text-ink-2">{each.kind}</span>{" "}
              {here ? (
                <span className="text-ink-3">this record</span>
              ) : (
                <button
                  type="button"
                  onClick={() => onOpen(each)}
                  className="text-left hover:underline [overflow-wrap:anywhere]"
                >
                  {each.text === null ? `record ${count(each.index)}` : <Untrusted text={each.text.slice(0, 160)} />}
                </button>
              )}
            </li>
          );
        })}
      </ol>
      <p className="text-xs text-ink-3">
        {record.workstation ? `The trail of ${record.workstation.name}` : "The console’s own trail"}, around index{" "}
        {count(record.index)}. Order is by index; times are {record.workstation ? "the agent’s" : "the console’s"}{" "}
        clock.
      </p>
    </div>
  );
}

const SHOWN_FILES = 6;

function ScanStory({ record }: { record: RecordFull }) {
  const read = ScanBody.safeParse(record.body);
  if (!read.success) return null;
  const { verdict, reason, rule, manifest, scanner, image, confined } = read.data;
  const suspect = manifest.filter((file) => file.finding !== "clean");
  return (
    <div className="grid gap-2">
      <p>
        <Mark tone={verdictTone(verdict)}>{verdict}</Mark> {reason}
        {rule && <span className="mono text-ink-2"> · {rule}</span>}
      </p>
      <p className="text-ink-2">
        {plural(manifest.length, "file")}
        {image && (
          <>
            {" · "}
            {bytes(image.size)} read once, sha256 <Hash text={image.sha256} />
          </>
        )}
        {" · "}
        {scanner ? `${scanner.engine}, definitions ${scanner.definitions ?? "of the site"}` : "no scanner"}
        {confined && ` · read in ${confined}`}
      </p>
      {suspect.length > 0 && (
        <ul className="grid gap-1">
          {suspect.slice(0, SHOWN_FILES).map((file) => (
            <li key={file.path ?? file.pathBase64} className="[overflow-wrap:anywhere]">
              <Mark tone={findingTone(file.finding)}>{file.finding}</Mark>{" "}
              <Untrusted text={file.path ?? `base64:${file.pathBase64}`} />
              {file.detail && (
                <span className="text-ink-2">
                  {" "}
                  · <Untrusted text={file.detail} />
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
      <Link href={`/usb/${record.trail}/${record.index}`} className="justify-self-start underline">
        The whole manifest
      </Link>
    </div>
  );
}
