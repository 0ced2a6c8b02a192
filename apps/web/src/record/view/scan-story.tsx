"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
/** What a scan found, before the manifest is opened. */
import { notClean } from "@sallyport/shared/usb/manifest.ts";
import { ScanBody } from "@sallyport/shared/usb/scan.ts";
import Link from "next/link";
import { bytes } from "../../ui/bytes.ts";
import { Hash } from "../../ui/copy.tsx";
import { Mark } from "../../ui/mark.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RecordFull } from "../store.ts";
import { findingTone, verdictTone } from "./tone.ts";

const SHOWN_FILES = 6;

export function ScanStory({ record }: { record: RecordFull }) {
  const read = ScanBody.safeParse(record.body);
  if (!read.success) return null;
  const { verdict, reason, rule, manifest, scanner, image, confined, source, problems } = read.data;
  const suspect = notClean(manifest);
  const hidden = suspect.length - SHOWN_FILES;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-2">
      <p className="[overflow-wrap:anywhere]">
        <b className="font-medium">
          <Untrusted text={source ?? "A stick"} />
        </b>{" "}
        was read whole in dom0 and judged <Mark tone={verdictTone(verdict)}>{verdict}</Mark>: {reason}
        {rule && rule !== reason && (
          <span className="text-ink-2">
            {" · rule "}
            <span className="mono">{rule}</span>
          </span>
        )}
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
        {scanner
          ? `${scanner.engine}, definitions ${scanner.definitions ?? "of the site"}${scanner.date ? ` of ${scanner.date.slice(0, 10)}` : ""}${scanner.set ? `, the policy’s set ${scanner.set.slice(0, 12)}` : ""}`
          : "no scanner, so nothing counts as clean"}
        {confined && ` · read in ${confined}`}
      </p>
      {problems?.map((problem) => (
        <p key={problem} className="text-hold">
          ◐ {problem}
        </p>
      ))}
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
      <Link href={`/usb/${record.trail}/${record.index}`} className="justify-self-start underline underline-offset-2">
        The whole manifest{hidden > 0 && `, ${count(hidden)} more that are not clean`}
      </Link>
    </div>
  );
}
